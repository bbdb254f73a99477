"""What to try next and what to stop: decides, and knows neither Ray nor the storage."""
