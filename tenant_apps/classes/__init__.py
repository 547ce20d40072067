"""When training happens: classes and the sessions made from their recurrence."""
