"""The demonstration behind `make demo`: a sick cluster, audit, report, repair, clean audit."""
