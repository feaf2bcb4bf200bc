//! Rules of probes and lifecycle handlers.

use super::path::Path;
use super::{each, format, given, invalid_each, network, non_negative, one_of};
use crate::errors::{FieldError, FieldErrors};
use k8s_openapi::api::core::v1::{
    ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction, TCPSocketAction,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Liveness,
    Readiness,
    Startup,
}

pub fn probe(probe: &Probe, on: Use, grace_secs: i64, path: &Path<'_>, errors: &mut FieldErrors) {
    let handler = Handler {
        exec: probe.exec.as_ref(),
        http_get: probe.http_get.as_ref(),
        tcp_socket: probe.tcp_socket.as_ref(),
        grpc: probe.grpc.as_ref(),
        sleep: None,
    };
    handler.check(grace_secs, path, errors);
    let numbers = [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ];
    for (field, number) in numbers {
        non_negative(number.unwrap_or_default().into(), &path.child(field), errors);
    }
    let grace = path.child("terminationGracePeriodSeconds");
    if let Some(secs) = probe.termination_grace_period_seconds {
        if secs <= 0 {
            errors.push(FieldError::invalid(grace, secs, "must be greater than 0"));
        }
        if on == Use::Readiness {
            errors.push(FieldError::invalid(grace, secs, "must not be set for readinessProbes"));
        }
    }
    let successes = probe.success_threshold.unwrap_or(1);
    if on != Use::Readiness && successes != 1 {
        errors.push(FieldError::invalid(path.child("successThreshold"), successes, "must be 1"));
    }
}

pub fn lifecycle(lifecycle: &Lifecycle, grace_secs: i64, path: &Path<'_>, errors: &mut FieldErrors) {
    for (field, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(hook) = hook {
            Handler::of(hook).check(grace_secs, &path.child(field), errors);
        }
    }
}

/// What a probe and a lifecycle hook have in common: exactly one way to act.
struct Handler<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

impl<'a> Handler<'a> {
    fn of(hook: &'a LifecycleHandler) -> Self {
        Self {
            exec: hook.exec.as_ref(),
            http_get: hook.http_get.as_ref(),
            tcp_socket: hook.tcp_socket.as_ref(),
            grpc: None,
            sleep: hook.sleep.as_ref(),
        }
    }

    fn check(&self, grace_secs: i64, path: &Path<'_>, errors: &mut FieldErrors) {
        let set = [
            ("exec", self.exec.is_some()),
            ("httpGet", self.http_get.is_some()),
            ("tcpSocket", self.tcp_socket.is_some()),
            ("grpc", self.grpc.is_some()),
            ("sleep", self.sleep.is_some()),
        ];
        let mut set = set.into_iter().filter(|(_, set)| *set).map(|(name, _)| name);
        let Some(first) = set.next() else {
            errors.push(FieldError::required(path, "must specify a handler type"));
            return;
        };
        self.act(grace_secs, &path.child(first), errors);
        for extra in set {
            errors.push(FieldError::forbidden(path.child(extra), "may not specify more than 1 handler type"));
        }
    }

    fn act(&self, grace_secs: i64, path: &Path<'_>, errors: &mut FieldErrors) {
        if let Some(exec) = self.exec {
            if exec.command.as_ref().is_none_or(Vec::is_empty) {
                errors.push(FieldError::required(path.child("command"), ""));
            }
        } else if let Some(get) = self.http_get {
            http_get(get, path, errors);
        } else if let Some(tcp) = self.tcp_socket {
            network::port_or_name(&tcp.port, &path.child("port"), errors);
        } else if let Some(grpc) = self.grpc {
            network::port_number(grpc.port, &path.child("port"), errors);
        } else if let Some(sleep) = self.sleep
            && !(0..=grace_secs).contains(&sleep.seconds)
        {
            let detail = format!("must be non-negative and less than terminationGracePeriodSeconds ({grace_secs})");
            errors.push(FieldError::invalid(path, sleep.seconds, detail));
        }
    }
}

fn http_get(get: &HTTPGetAction, path: &Path<'_>, errors: &mut FieldErrors) {
    if given(get.path.as_ref()).is_none() {
        errors.push(FieldError::required(path.child("path"), ""));
    }
    network::port_or_name(&get.port, &path.child("port"), errors);
    one_of(get.scheme.as_deref().unwrap_or_default(), &["HTTP", "HTTPS"], &path.child("scheme"), errors);
    for header in each(&get.http_headers) {
        invalid_each(&header.name, format::http_header_name(&header.name), &path.child("httpHeaders"), errors);
    }
}
