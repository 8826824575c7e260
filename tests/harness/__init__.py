"""Running the collection's playbooks the way a person does, for tests and the demonstration."""
