module testbed/agnhost

go 1.26.0
