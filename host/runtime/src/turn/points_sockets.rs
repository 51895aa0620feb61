//! Commit points of wasi:sockets: whatever another machine can see. A name lookup is a packet too. TCP streams are
//! covered by wasi:io.

use super::wrap::{Wraps, point};
use crate::instance::Data;
use numax_policy::Capability;
use wasmtime::Result;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::SocketResult;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::ResolveAddressStream;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, Host, IpSocketAddress, Network};
use wasmtime_wasi::p2::bindings::sockets::tcp::{HostTcpSocket, ShutdownType, TcpSocket};
use wasmtime_wasi::p2::bindings::sockets::udp::{
    HostOutgoingDatagramStream, OutgoingDatagram, OutgoingDatagramStream,
};
use wasmtime_wasi::sockets::WasiSocketsView;

fn answer<T>(data: &mut Data, result: SocketResult<T>) -> Result<(std::result::Result<T, ErrorCode>,)> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(e) => Err(Host::convert_error_code(&mut data.sockets(), e)?),
    },))
}

type Tcp = Resource<TcpSocket>;
type Net = Resource<Network>;

pub(super) fn add_to_linker(l: &mut Wraps<'_>) -> Result<()> {
    point!(
        l,
        "wasi:sockets/tcp",
        "[method]tcp-socket.start-connect",
        |d, socket: Tcp, net: Net, to: IpSocketAddress| {
            let r = HostTcpSocket::start_connect(&mut d.sockets(), socket, net, to);
            answer(d, r)
        }
    );
    point!(l, "wasi:sockets/tcp", "[method]tcp-socket.start-listen", |d, socket: Tcp| {
        let r = HostTcpSocket::start_listen(&mut d.sockets(), socket).await;
        answer(d, r)
    });
    point!(l, "wasi:sockets/tcp", "[method]tcp-socket.shutdown", |d, socket: Tcp, how: ShutdownType| {
        let r = HostTcpSocket::shutdown(&mut d.sockets(), socket, how);
        answer(d, r)
    });
    point!(l, "wasi:sockets/udp", "[method]outgoing-datagram-stream.send", |d,
                                                                            stream: Resource<
        OutgoingDatagramStream,
    >,
                                                                            datagrams: Vec<
        OutgoingDatagram,
    >| {
        let r = HostOutgoingDatagramStream::send(&mut d.sockets(), stream, datagrams);
        answer(d, r)
    });
    point!(l, "wasi:sockets/ip-name-lookup", "resolve-addresses", |d, _net: Net, name: String| {
        // WASI's own refusal is that of a name server, and names no policy.
        d.session.grant().deny(Capability::Resolve, &name);
        Ok((Err::<Resource<ResolveAddressStream>, _>(ErrorCode::AccessDenied),))
    });
    Ok(())
}
