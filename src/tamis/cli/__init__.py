"""The command line; nothing imports this room."""
