"""The journal: what requests leave behind, appended to files that all processes of a host share."""
