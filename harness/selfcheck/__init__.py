"""What the harness costs and what it can resolve, measured on the machine it runs on."""
