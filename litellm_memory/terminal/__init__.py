"""What commands show people and read from them: rows in the width of a terminal, times in their own words."""
