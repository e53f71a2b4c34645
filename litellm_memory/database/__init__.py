"""One SQL database: its tables, reads in threads, writes by one writer, and what its errors mean to an operator."""
