"""What a valid reading is, and how it becomes a row of the outbox; nothing here knows HTTP."""
