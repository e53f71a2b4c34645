"""What lies in RAM to be searched, and the arithmetic that ranks it."""
