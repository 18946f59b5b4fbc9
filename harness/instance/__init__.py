"""Which rented machine this is, by what the user, the machine or its own cloud tells."""
