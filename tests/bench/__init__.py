"""The benchmark: the real collector under load from other processes; ``make bench`` runs it."""
