"""The deployment: the catalog of functions, the CDK app and its stacks, and the assets they ship."""

import os

# Node 20 is supported here; the CDK's bridge would print a page about its age at every start.
os.environ["JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION"] = "20"
