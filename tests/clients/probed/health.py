"""A server of gRPC, by its own library, whose health service says that all is well.

    python3 health.py ADDRESS PORT TLS_PORT CERTIFICATE KEY
"""

import concurrent.futures
import pathlib
import sys

import grpc

SERVING = b"\x08\x01"


class Health(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method != "/grpc.health.v1.Health/Check":
            return None
        return grpc.unary_unary_rpc_method_handler(lambda request, context: SERVING)


address, port, tls_port, certificate, key = sys.argv[1:]
server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[Health()])
server.add_insecure_port(f"{address}:{port}")
pair = (pathlib.Path(key).read_bytes(), pathlib.Path(certificate).read_bytes())
server.add_secure_port(f"{address}:{tls_port}", grpc.ssl_server_credentials([pair]))
server.start()
server.wait_for_termination()
