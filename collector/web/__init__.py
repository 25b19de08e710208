"""What the collector serves over HTTP about itself."""
