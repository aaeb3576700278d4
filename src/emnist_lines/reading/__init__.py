"""Any picture of a line → text: the reader, the page, ONNX."""
