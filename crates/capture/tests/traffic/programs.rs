//! Programs that make traffic.

/// TCP: 8080 reads all and answers with 20,000 bytes, 8081 resets after the first data, 8082 does not read for 2
/// seconds, 8083 answers with 9 bytes. UDP: 7000 answers, 7001 is silent. DNS: 53 answers names that begin with
/// `good`, has NXDOMAIN for `bad`, and is silent for others.
pub(crate) const SERVER: &str = r#"
import socket, struct, threading, time
def listen(port, handle, buffer=None):
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if buffer:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    server.bind(('', port))
    server.listen(50)
    def loop():
        while True:
            threading.Thread(target=handle, args=(server.accept()[0],)).start()
    threading.Thread(target=loop).start()
def answer(connection):
    while connection.recv(65536):
        pass
    connection.sendall(b'x' * 20000)
    connection.close()
def reset(connection):
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    connection.close()
def slow(connection):
    time.sleep(2)
    answer(connection)
def datagrams(port, handle):
    server = socket.socket(type=socket.SOCK_DGRAM)
    server.bind(('', port))
    def loop():
        while True:
            data, client = server.recvfrom(65536)
            reply = handle(data)
            if reply:
                server.sendto(reply, client)
    threading.Thread(target=loop).start()
def dns(data):
    code = {b'g': 0, b'b': 3}.get(data[13:14])
    return None if code is None else data[:2] + bytes([0x81, 0x80 | code]) + data[4:]
listen(8080, answer)
listen(8081, reset)
listen(8082, slow, 4096)
listen(8083, lambda connection: connection.sendall(connection.recv(65536)[:9]))
datagrams(7000, lambda data: data)
datagrams(7001, lambda data: None)
datagrams(53, dns)
print('ready', flush=True)
"#;

/// What the clients have in common.
const COMMON: &str = r#"
import socket, struct, sys, time
SERVER = '10.77.2.1'
def connect(port, source=0, timeout=30):
    client = socket.socket()
    client.settimeout(timeout)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(('', source))
    client.connect((SERVER, port))
    return client
def chat(port, size):
    client = connect(port)
    client.sendall(b'y' * size)
    client.recv(100)
def transfer(port, size, source=0):
    client = connect(port, source)
    client.sendall(b'y' * size)
    client.shutdown(socket.SHUT_WR)
    while client.recv(65536):
        pass
    client.close()
def fails(port, timeout=30, data=b''):
    try:
        client = connect(port, timeout=timeout)
        client.sendall(data)
        client.recv(10)
    except OSError as error:
        return
    raise Exception('no failure')
def ask(port, data, answers=True):
    client = socket.socket(type=socket.SOCK_DGRAM)
    client.settimeout(3 if answers else 0.2)
    client.connect((SERVER, port))
    try:
        client.send(data)
        client.recv(65536)
    except OSError:
        pass
def name(text, number):
    labels = b''.join(bytes([len(label)]) + label.encode() for label in text.split('.'))
    return struct.pack('>HHHHHH', number, 0x100, 1, 0, 0, 0) + labels + b'\0\0\1\0\1'
"#;

/// Returns a client that runs these statements.
pub(crate) fn client(statements: &str) -> String {
    format!("{COMMON}{statements}")
}
