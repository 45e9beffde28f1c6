"""The deployment: the catalog of functions, the CDK app and its stacks, and the assets they ship."""
