"""What will hurt a training, found before it starts: persons, images, sides, cost."""
