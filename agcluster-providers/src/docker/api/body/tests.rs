use super::*;

fn plan() -> ContainerPlan {
    ContainerPlan {
        image: "some/image:1".to_owned(),
        env: BTreeMap::from([("A".to_owned(), "b".to_owned())]),
        labels: BTreeMap::from([("agcluster.session".to_owned(), "s".to_owned())]),
        workspace_volume: "agc-s-ws".to_owned(),
        network: "agcluster".to_owned(),
        published: None,
        injected: None,
        cpu_millis: 1500,
        memory_bytes: 1 << 30,
        pids: 100,
        storage_bytes: None,
        tmpfs: TmpfsSizes::default(),
        owned_tmpfs: true,
        log: LogRotation::default(),
    }
}

#[test]
fn limits_are_always_set_and_swap_adds_nothing() {
    let host = plan().host_config();
    assert_eq!((host.cpu_period, host.cpu_quota), (Some(100_000), Some(150_000)));
    assert_eq!((host.memory, host.memory_swap), (Some(1 << 30), Some(1 << 30)));
    assert_eq!(host.pids_limit, Some(100));
}

#[test]
fn the_container_is_hardened() {
    let host = plan().host_config();
    assert_eq!(host.cap_drop, Some(vec!["ALL".to_owned()]));
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!(host.privileged, Some(false));
    assert_eq!(host.security_opt, Some(vec!["no-new-privileges".to_owned()]));
    assert!(host.binds.is_none() && host.port_bindings.is_none());
    for options in host.tmpfs.unwrap().values() {
        assert!(options.contains("nosuid,nodev,size="), "{options}");
    }
}

#[test]
fn an_image_with_an_agent_server_keeps_its_entry_point() {
    let body = plan().body();
    assert!(body.entrypoint.is_none() && body.cmd.is_none());
    assert_eq!(body.env, Some(vec!["A=b".to_owned()]));
}

#[test]
fn an_injected_agent_server_is_mounted_read_only_and_started() {
    let body = ContainerPlan { injected: Some(Injected { volume: "v".to_owned() }), ..plan() }.body();
    assert_eq!(body.entrypoint, Some(vec!["/.agcluster/agcluster-agent".to_owned()]));
    let mounts = body.host_config.unwrap().mounts.unwrap();
    assert_eq!((mounts[1].source.as_deref(), mounts[1].read_only), (Some("v"), Some(true)));
}

#[test]
fn a_size_is_given_to_the_volume_only_where_it_holds() {
    let of = |storage_bytes| {
        let mounts = ContainerPlan { storage_bytes, ..plan() }.mounts();
        mounts[0].volume_options.clone().unwrap().driver_config
    };
    assert_eq!(of(None), None);
    assert_eq!(of(Some(10)).unwrap().options.unwrap()["size"], "10");
}

#[test]
fn a_port_is_published_only_when_asked_and_where_asked() {
    let published = Some(Published { address: IpAddr::from([127, 0, 0, 1]) });
    let body = ContainerPlan { published, ..plan() }.body();
    let bindings = body.host_config.unwrap().port_bindings.unwrap();
    assert_eq!(bindings["3000/tcp"].as_ref().unwrap()[0].host_ip.as_deref(), Some("127.0.0.1"));
}
