"""What a component exports, on the bindings that componentize-py makes of the contract. Only imported while a component is built."""
