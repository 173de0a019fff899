//! The server as its clients see it.

/// The list of tools stays within its size limit, which leaves room for the other servers (docs/architecture.md).
#[test]
fn the_list_of_tools_is_small_and_matches_its_snapshot() -> Result<(), mcp_testing::Failed> {
    mcp_testing::tools_list(mcp_capture::layer())
}

/// Prompts name only tools and parameters that exist.
#[test]
fn prompts_name_existing_tools() {
    assert_eq!(mcp_testing::problems_of_prompts(&mcp_capture::layer()), [""; 0]);
}

#[test]
fn each_tool_has_an_example_that_works() -> Result<(), mcp_testing::Failed> {
    let problems =
        mcp_testing::problems_of_examples(mcp_capture::layer, &["capture-with-packets", "lab-packets"])?;
    assert_eq!(problems, [""; 0]);
    Ok(())
}

/// A client lists a capture as a resource, reads it as a pcapng file, and analyses it in a later call.
#[tokio::test]
async fn a_capture_is_a_resource() -> Result<(), mcp_testing::Failed> {
    let connection =
        mcp_testing::Connection::open(mcp_capture::layer(), mcp_testing::scenario("lab-packets")).await?;
    let captures = |all: Vec<String>| -> Vec<String> {
        all.into_iter().filter(|uri| uri.starts_with("capture://mcp-capture/")).collect()
    };
    assert_eq!(captures(connection.resources().await?), [""; 0]);
    let params = serde_json::json!({
        "at": ["pod default/client eth0", "node ovn-worker eth0"],
        "filter": "icmp or tcp port 8080 or tcp port 80 or udp port 6081",
    });
    let params = params.as_object().cloned().ok_or("an object")?;
    let told =
        connection.call("tcpdump_capture", &params).await?.map_err(|error| format!("refused: {error}"))?;
    let listed = captures(connection.resources().await?);
    let [uri] = listed.as_slice() else { return Err(format!("{listed:?}").into()) };
    let id = uri.rsplit('/').next().unwrap_or_default();
    assert!(id.len() == 32 && told.contains(&format!("capture={id}")), "{uri}: {told}");
    // The first four bytes of pcapng are 0x0a0d0d0a, which is `Cg0NC` in base64.
    let blob = connection.blob(uri).await?;
    assert!(blob.starts_with("Cg0NC") && blob.len() > 10_000, "{} bytes", blob.len());
    let again = serde_json::json!({ "capture": id, "packets": true, "protocol": "icmp" });
    let again = again.as_object().cloned().ok_or("an object")?;
    let packets =
        connection.call("tcpdump_analyze", &again).await?.map_err(|error| format!("refused: {error}"))?;
    assert!(
        packets.contains("pod default/client eth0: ") && packets.contains("ICMP echo request"),
        "{packets}"
    );
    let missing = connection.blob("capture://mcp-capture/0").await.unwrap_err().to_string();
    assert!(missing.contains("no capture of this server is named `0`"), "{missing}");
    Ok(())
}
