"""A running laboratory: workers started, commands sent, records drained and sampled, folded into LabState."""
