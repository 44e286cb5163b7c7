"""The vendor's Python SDK completes every flow that it has against a sandbox. It has no reverse OTP."""

import json
import os
import urllib.request

import contiguity
from contiguity._client import ContiguityApiError

URL = os.environ["CONTIGUITY_BASE_URL"]
PHONE = "+14155552671"


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(f"{URL}/sandbox/{path}", data) as response:
        return json.load(response)


def last_code():
    return control(f"phones/{PHONE}")["last_code"]


client = contiguity.Contiguity(token=os.environ["CONTIGUITY_API_KEY"], base_url=URL)

# A code by text message: sent, sent again, wrong, right, used.
sent = client.otp.send(PHONE, name="MyApp")
assert sent.otp_id.startswith("otp_"), sent
assert sent.metadata.id.startswith("req_"), sent
code = last_code()
assert client.otp.resend(sent.otp_id).resent
assert last_code() == code
wrong = "000001" if code == "000000" else "000000"
assert not client.otp.verify(wrong, otp_id=sent.otp_id).verified
assert client.otp.verify(code, otp_id=sent.otp_id).verified
assert not client.otp.verify(code, otp_id=sent.otp_id).verified
assert not client.otp.resend(sent.otp_id).resent

# Refusals and faults are the SDK's own errors.
for prepare, status in [
    (lambda: None, "400"),
    (lambda: control("fail", {"fault": "status", "status": 503}), "503"),
]:
    prepare()
    try:
        client.otp.verify("123456", otp_id="otp_unknown")
    except ContiguityApiError as error:
        assert status in str(error), error
    else:
        raise AssertionError(f"no error for {status}")

print("python: every flow is complete")
