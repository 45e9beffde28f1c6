"""One folder, one Lambda function."""

import gc
import os

if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
    # Everything that is imported stays: looking through it for garbage is wasted time until the kernel stands.
    gc.disable()
