"""The API of attendance: one module for each resource."""
