# The same for what containers, the job on Glue and API Gateway are made of.

mock_resource "aws_ecs_task_definition" {
  defaults = {
    arn                  = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mock:1"
    arn_without_revision = "arn:aws:ecs:eu-central-1:123456789012:task-definition/mock"
  }
}

mock_resource "aws_ecs_cluster" {
  defaults = {
    arn = "arn:aws:ecs:eu-central-1:123456789012:cluster/mock"
  }
}

mock_resource "aws_dynamodb_table" {
  defaults = {
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/mock"
  }
}

mock_resource "aws_glue_connection" {
  defaults = {
    arn = "arn:aws:glue:eu-central-1:123456789012:connection/mock"
  }
}

mock_resource "aws_apigatewayv2_api" {
  defaults = {
    id            = "mock"
    api_endpoint  = "https://mock.execute-api.eu-central-1.amazonaws.com"
    execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:mock"
  }
}

mock_resource "aws_api_gateway_rest_api" {
  defaults = {
    id            = "mock"
    execution_arn = "arn:aws:execute-api:eu-central-1:123456789012:mock"
  }
}

mock_resource "aws_api_gateway_stage" {
  defaults = {
    arn        = "arn:aws:apigateway:eu-central-1::/restapis/mock/stages/live"
    invoke_url = "https://mock.execute-api.eu-central-1.amazonaws.com/live"
  }
}

mock_data "aws_subnet" {
  defaults = {
    id                = "subnet-1"
    vpc_id            = "vpc-1"
    availability_zone = "eu-central-1a"
  }
}
