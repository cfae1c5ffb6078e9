"""Who may send readings for which sensors."""
