"""The one inbox of everything that others post to the platform: verified, known again, kept, worked on, replayable."""
