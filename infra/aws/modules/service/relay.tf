# What CodeDeploy's hooks call: it says on a queue that a deployment waits, and Headway answers. Nobody's answer is a no.

resource "aws_sqs_queue" "hooks" {
  count                     = local.by_codedeploy ? 1 : 0
  name                      = "${var.name}-hooks"
  message_retention_seconds = 3600 # as long as a hook waits
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_log_group" "relay" {
  count             = local.by_codedeploy ? 1 : 0
  name              = "/aws/lambda/CodeDeployHook_${var.name}"
  retention_in_days = var.log_days
  kms_key_id        = var.kms_key
}

data "aws_iam_policy_document" "relay" {
  count = local.by_codedeploy ? 1 : 0
  statement {
    sid       = "Say"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.hooks[0].arn]
  }
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.relay[0].arn}:*"]
  }
}

resource "aws_iam_role" "relay" {
  count              = local.by_codedeploy ? 1 : 0
  name               = "${var.name}-relay"
  assume_role_policy = data.aws_iam_policy_document.assume["relay"].json
}

resource "aws_iam_role_policy" "relay" {
  count  = local.by_codedeploy ? 1 : 0
  name   = "relay"
  role   = aws_iam_role.relay[0].id
  policy = data.aws_iam_policy_document.relay[0].json
}

# Its name begins as AWSCodeDeployRoleForECSLimited wants it.
# It is called once a release, and traces nothing.
#trivy:ignore:AWS-0066
resource "aws_lambda_function" "relay" {
  count            = local.by_codedeploy ? 1 : 0
  function_name    = "CodeDeployHook_${var.name}"
  description      = "Says on a queue that a deployment of CodeDeploy waits"
  role             = aws_iam_role.relay[0].arn
  runtime          = "python3.13"
  handler          = "relay.handler"
  timeout          = 30
  filename         = "${path.module}/../../relay/relay.zip"
  source_code_hash = filebase64sha256("${path.module}/../../relay/relay.zip")

  environment {
    variables = { QUEUE_URL = aws_sqs_queue.hooks[0].url }
  }
  depends_on = [aws_cloudwatch_log_group.relay, aws_iam_role_policy.relay]
}
