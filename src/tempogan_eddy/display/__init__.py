"""What people look at: colour tables, animations and the page that reports an evaluation."""
