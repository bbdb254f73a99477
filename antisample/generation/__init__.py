"""Anti-samples: noise around the retain images that lie farthest from the forget images."""
