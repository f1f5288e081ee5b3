"""What people look at: palettes, figures, animations and the page that reports an evaluation."""
