"""Ways out: one component a file or folder; they use the engine and never each other."""
