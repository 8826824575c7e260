"""A small stand-in for the REST API of AWX, on loopback, that refuses what AWX would refuse. For tests only."""
