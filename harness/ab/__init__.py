"""Two versions of chipmark, or two environments, measured on this machine now, in turns."""
