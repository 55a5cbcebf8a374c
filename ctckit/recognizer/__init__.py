"""The recognizer: images of text in, CTC matrices out. Needs the extra `onnx` or `recognizer`."""
