"""Small applications that call models, as users write them, and the endpoint they call."""
