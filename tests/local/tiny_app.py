"""A CDK app of one function behind an HTTP API, to try deployments with: `python tiny_app.py`."""

from aws_cdk import App, CfnOutput, CliCredentialsStackSynthesizer, Environment, Stack
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_s3 as s3

ANSWER = "hello"
CODE = f"def handler(event, context):\n    return {{'statusCode': 200, 'body': '{ANSWER}'}}\n"


def main() -> None:
    app = App(analytics_reporting=False)
    stack = Stack(
        app,
        "Tiny",
        stack_name="rmap-local-tiny",
        env=Environment(region="us-east-1"),
        synthesizer=CliCredentialsStackSynthesizer(),
    )
    role = iam.CfnRole(
        stack,
        "Role",
        assume_role_policy_document={
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ]
        },
    )
    function = functions.CfnFunction(
        stack,
        "Function",
        function_name="rmap-local-tiny",
        code=functions.CfnFunction.CodeProperty(zip_file=CODE),
        handler="index.handler",
        runtime="python3.13",
        role=role.attr_arn,
    )
    api = apigateway.CfnApi(
        stack,
        "Api",
        name="rmap-local-tiny",
        protocol_type="HTTP",
        tags={"ms-custom-id": "rmap"},
        cors_configuration=apigateway.CfnApi.CorsProperty(
            allow_origins=["https://acme.example"], allow_methods=["GET"], allow_headers=["Authorization"]
        ),
    )
    target = apigateway.CfnIntegration(
        stack,
        "Target",
        api_id=api.ref,
        integration_type="AWS_PROXY",
        integration_uri=function.attr_arn,
        payload_format_version="2.0",
    )
    apigateway.CfnRoute(stack, "Route", api_id=api.ref, route_key="$default", target=f"integrations/{target.ref}")
    apigateway.CfnStage(stack, "Stage", api_id=api.ref, stage_name="local", auto_deploy=True)
    functions.CfnPermission(
        stack, "May", action="lambda:InvokeFunction", function_name=function.ref, principal="apigateway.amazonaws.com"
    )
    dynamodb.CfnTable(
        stack,
        "Table",
        table_name="rmap-local-tiny",
        billing_mode="PAY_PER_REQUEST",
        key_schema=[dynamodb.CfnTable.KeySchemaProperty(attribute_name="pk", key_type="HASH")],
        attribute_definitions=[dynamodb.CfnTable.AttributeDefinitionProperty(attribute_name="pk", attribute_type="S")],
        time_to_live_specification=dynamodb.CfnTable.TimeToLiveSpecificationProperty(
            attribute_name="expires_at", enabled=True
        ),
    )
    s3.CfnBucket(stack, "Bucket", bucket_name="rmap-local-tiny")
    CfnOutput(stack, "ApiId", value=api.ref)
    app.synth()


if __name__ == "__main__":
    main()
