"""The method on four 2-D Gaussians, where it can be seen."""
