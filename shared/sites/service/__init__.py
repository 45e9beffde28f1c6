"""Sites and sensors, as functions use them."""
