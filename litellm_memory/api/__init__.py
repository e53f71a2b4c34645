"""The routes of the HTTP API, a module for each subject, with what they take and give."""
