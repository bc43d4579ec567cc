"""The place on AWS: everything is asked by boto3, and told in Headway's words."""
