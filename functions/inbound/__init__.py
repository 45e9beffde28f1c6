"""Takes what others post to the platform: Stripe, Amazon SES, ad platforms. And shows operators what came."""
