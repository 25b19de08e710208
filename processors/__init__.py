"""The steps a batch takes between a receiver and the exporters: functions from a batch to batches."""
