"""Buckets that outlived a killed endpoint.

The endpoint keeps objects on disk at once, but everything else only when it is stopped in an orderly way. After a
kill its stacks are gone while their buckets are there, and a deploy that makes a bucket again is refused. So the
objects step aside, the bucket goes, and after the deploy they return.
"""

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.cloud import Cloud

_INDEX = "index.json"
# What CDK uploads it uploads again.
_ASSETS = "cdk-hnb659fds-assets-"


def set_aside(cloud: Cloud, folder: Path) -> list[str]:
    """Take every bucket that no stack owns out of the endpoint, its objects into `folder`; their names."""
    s3, owned = cloud.client("s3"), _owned(cloud)
    orphans = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"] not in owned]
    for bucket in orphans:
        if not bucket.startswith(_ASSETS):
            _copy(s3, bucket, folder / bucket)
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for version in page.get("Versions", []) + page.get("DeleteMarkers", []):
                s3.delete_object(Bucket=bucket, Key=version["Key"], VersionId=version["VersionId"])
        s3.delete_bucket(Bucket=bucket)
    return orphans


def _owned(cloud: Cloud) -> set[str]:
    formation, owned = cloud.client("cloudformation"), set()
    for page in formation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            found = formation.describe_stack_resources(StackName=stack["StackName"])["StackResources"]
            owned |= {one["PhysicalResourceId"] for one in found if one["ResourceType"] == "AWS::S3::Bucket"}
    return owned


def _copy(s3: Any, bucket: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    index = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for found in page.get("Contents", []):
            kept = s3.get_object(Bucket=bucket, Key=found["Key"])
            name = hashlib.sha256(found["Key"].encode()).hexdigest()
            (folder / name).write_bytes(kept["Body"].read())
            about = {"ContentType": kept.get("ContentType", ""), "Metadata": kept.get("Metadata", {})}
            index.append({"key": found["Key"], "file": name, "about": about})
    (folder / _INDEX).write_text(json.dumps(index))


def restore(cloud: Cloud, folder: Path) -> None:
    """Put objects back where their bucket was made again; the rest stays in `folder`."""
    s3 = cloud.client("s3")
    for place in sorted(folder.iterdir()) if folder.exists() else ():
        try:
            s3.head_bucket(Bucket=place.name)
        except ClientError:
            continue
        for one in json.loads((place / _INDEX).read_text()):
            about = {name: value for name, value in one["about"].items() if value}
            s3.put_object(Bucket=place.name, Key=one["key"], Body=(place / one["file"]).read_bytes(), **about)
        shutil.rmtree(place)
