"""Sends many messages while many event streams are open, and measures the sandbox meanwhile.

    python3 load.py PID [MESSAGES [STREAMS]]

PID is the process of the sandbox at CONTIGUITY_BASE_URL. Prints the longest response time of a request that
runs beside the load, and the largest memory of the process. Fails if the memory is over 100 MiB. Judge the
time by eye: it also depends on what else the machine does.
"""

import asyncio
import json
import os
import resource
import sys
import time
import urllib.parse

URL = urllib.parse.urlparse(os.environ["CONTIGUITY_BASE_URL"])
SENDERS = 8
MAX_MEMORY_MIB = 100


async def connect():
    return await asyncio.open_connection(URL.hostname, URL.port)


async def request(reader, writer, method, path, body=b""):
    """Sends a request on a connection that stays open, and returns the body of the response."""
    writer.write(
        f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token contiguity_sk_load\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode() + body
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length"))
    return await reader.readexactly(length)


async def stream(opened, events):
    reader, writer = await connect()
    writer.write(b"GET /sandbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    opened.release()
    while await reader.read(65536):
        events[0] += 1


async def send(count):
    reader, writer = await connect()
    for number in range(count):
        body = {"to": f"+1415555{number % 10000:04}", "language": "en", "name": "MyApp"}
        await request(reader, writer, "POST", "/otp/new", json.dumps(body).encode())


async def probe(times):
    reader, writer = await connect()
    while True:
        began = time.perf_counter()
        await request(reader, writer, "GET", "/sandbox/phones/+14155550001")
        times.append(time.perf_counter() - began)
        await asyncio.sleep(0.01)


async def main():
    pid, messages, streams = (sys.argv[1:] + ["100000", "1000"][len(sys.argv) - 2 :])[:3]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    opened, events, times = asyncio.Semaphore(0), [0], []
    tasks = [asyncio.create_task(stream(opened, events)) for _ in range(int(streams))]
    for _ in tasks:
        await opened.acquire()
    tasks.append(asyncio.create_task(probe(times)))
    began = time.perf_counter()
    await asyncio.gather(*(send(int(messages) // SENDERS) for _ in range(SENDERS)))
    seconds = time.perf_counter() - began
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

    with open(f"/proc/{pid}/status") as status:
        peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    times.sort()
    print(f"{messages} messages in {seconds:.1f} s beside {streams} event streams, which received {events[0]} events")
    print(
        f"a request beside them took {times[len(times) // 2] * 1000:.1f} ms (median), "
        f"{times[len(times) * 99 // 100] * 1000:.1f} ms (99 %), {times[-1] * 1000:.1f} ms (longest of {len(times)})"
    )
    print(f"the process had up to {peak:.0f} MiB")
    assert peak < MAX_MEMORY_MIB, f"more than {MAX_MEMORY_MIB} MiB"


asyncio.run(main())
