"""One SQL database: its tables, reads in threads, writes by one writer, and its errors explained for operators."""
