"""The examinations of ``mdm-stream doctor --environment``: a deployment on AWS, beside what Terraform made it to be."""
