//! The schema table. Written by `cargo run -p xtask -- codegen`; do not edit.

use super::row::{d, f, m};
use super::row::{DefinitionRow, FieldRow, MergingRow};
use super::row::Leaf as L;
use super::row::Shape as S;

pub(super) static DEFINITIONS: [DefinitionRow; 558] = [
    d(1, 0, 1, L::Object, false), // io.k8s.api.admissionregistration.v1.ApplyConfiguration
    d(3, 1, 2, L::Object, false), // io.k8s.api.admissionregistration.v1.AuditAnnotation
    d(6, 3, 2, L::Object, false), // io.k8s.api.admissionregistration.v1.ExpressionWarning
    d(9, 5, 1, L::Object, false), // io.k8s.api.admissionregistration.v1.JSONPatch
    d(10, 6, 2, L::Object, false), // io.k8s.api.admissionregistration.v1.MatchCondition
    d(12, 8, 5, L::Object, true), // io.k8s.api.admissionregistration.v1.MatchResources
    d(18, 13, 4, L::Object, false), // io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy
    d(23, 17, 4, L::Object, false), // io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding
    d(24, 21, 3, L::Object, false), // io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBindingSpec
    d(28, 24, 7, L::Object, false), // io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicySpec
    d(36, 31, 12, L::Object, false), // io.k8s.api.admissionregistration.v1.MutatingWebhook
    d(42, 43, 4, L::Object, false), // io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration
    d(44, 47, 3, L::Object, false), // io.k8s.api.admissionregistration.v1.Mutation
    d(48, 50, 6, L::Object, true), // io.k8s.api.admissionregistration.v1.NamedRuleWithOperations
    d(55, 56, 2, L::Object, true), // io.k8s.api.admissionregistration.v1.ParamKind
    d(56, 58, 4, L::Object, true), // io.k8s.api.admissionregistration.v1.ParamRef
    d(60, 62, 5, L::Object, false), // io.k8s.api.admissionregistration.v1.RuleWithOperations
    d(61, 67, 4, L::Object, false), // io.k8s.api.admissionregistration.v1.ServiceReference
    d(64, 71, 1, L::Object, false), // io.k8s.api.admissionregistration.v1.TypeChecking
    d(66, 72, 5, L::Object, false), // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy
    d(68, 77, 4, L::Object, false), // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding
    d(69, 81, 4, L::Object, false), // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec
    d(71, 85, 7, L::Object, false), // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicySpec
    d(74, 92, 3, L::Object, false), // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyStatus
    d(78, 95, 11, L::Object, false), // io.k8s.api.admissionregistration.v1.ValidatingWebhook
    d(79, 106, 4, L::Object, false), // io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration
    d(80, 110, 4, L::Object, false), // io.k8s.api.admissionregistration.v1.Validation
    d(84, 114, 2, L::Object, true), // io.k8s.api.admissionregistration.v1.Variable
    d(85, 116, 3, L::Object, false), // io.k8s.api.admissionregistration.v1.WebhookClientConfig
    d(89, 119, 5, L::Object, false), // io.k8s.api.apps.v1.ControllerRevision
    d(92, 124, 5, L::Object, false), // io.k8s.api.apps.v1.DaemonSet
    d(93, 129, 5, L::Object, false), // io.k8s.api.apps.v1.DaemonSetCondition
    d(96, 134, 5, L::Object, false), // io.k8s.api.apps.v1.DaemonSetSpec
    d(101, 139, 10, L::Object, false), // io.k8s.api.apps.v1.DaemonSetStatus
    d(110, 149, 2, L::Object, false), // io.k8s.api.apps.v1.DaemonSetUpdateStrategy
    d(112, 151, 5, L::Object, false), // io.k8s.api.apps.v1.Deployment
    d(113, 156, 6, L::Object, false), // io.k8s.api.apps.v1.DeploymentCondition
    d(115, 162, 8, L::Object, false), // io.k8s.api.apps.v1.DeploymentSpec
    d(120, 170, 9, L::Object, false), // io.k8s.api.apps.v1.DeploymentStatus
    d(126, 179, 2, L::Object, false), // io.k8s.api.apps.v1.DeploymentStrategy
    d(127, 181, 5, L::Object, false), // io.k8s.api.apps.v1.ReplicaSet
    d(128, 186, 5, L::Object, false), // io.k8s.api.apps.v1.ReplicaSetCondition
    d(129, 191, 4, L::Object, false), // io.k8s.api.apps.v1.ReplicaSetSpec
    d(130, 195, 7, L::Object, false), // io.k8s.api.apps.v1.ReplicaSetStatus
    d(132, 202, 2, L::Object, false), // io.k8s.api.apps.v1.RollingUpdateDaemonSet
    d(135, 204, 2, L::Object, false), // io.k8s.api.apps.v1.RollingUpdateDeployment
    d(136, 206, 2, L::Object, false), // io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategy
    d(138, 208, 5, L::Object, false), // io.k8s.api.apps.v1.StatefulSet
    d(139, 213, 5, L::Object, false), // io.k8s.api.apps.v1.StatefulSetCondition
    d(140, 218, 1, L::Object, false), // io.k8s.api.apps.v1.StatefulSetOrdinals
    d(142, 219, 2, L::Object, false), // io.k8s.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy
    d(145, 221, 11, L::Object, false), // io.k8s.api.apps.v1.StatefulSetSpec
    d(151, 232, 10, L::Object, false), // io.k8s.api.apps.v1.StatefulSetStatus
    d(155, 242, 2, L::Object, false), // io.k8s.api.apps.v1.StatefulSetUpdateStrategy
    d(156, 244, 4, L::Object, false), // io.k8s.api.authentication.v1.BoundObjectReference
    d(158, 248, 4, L::Object, false), // io.k8s.api.authentication.v1.SelfSubjectReview
    d(159, 252, 1, L::Object, false), // io.k8s.api.authentication.v1.SelfSubjectReviewStatus
    d(161, 253, 5, L::Object, false), // io.k8s.api.authentication.v1.TokenRequest
    d(162, 258, 4, L::Object, false), // io.k8s.api.authentication.v1.TokenRequestSpec
    d(167, 262, 2, L::Object, false), // io.k8s.api.authentication.v1.TokenRequestStatus
    d(170, 264, 5, L::Object, false), // io.k8s.api.authentication.v1.TokenReview
    d(171, 269, 2, L::Object, false), // io.k8s.api.authentication.v1.TokenReviewSpec
    d(172, 271, 4, L::Object, false), // io.k8s.api.authentication.v1.TokenReviewStatus
    d(176, 275, 4, L::Object, false), // io.k8s.api.authentication.v1.UserInfo
    d(180, 279, 2, L::Object, false), // io.k8s.api.authorization.v1.FieldSelectorAttributes
    d(183, 281, 2, L::Object, false), // io.k8s.api.authorization.v1.LabelSelectorAttributes
    d(184, 283, 5, L::Object, false), // io.k8s.api.authorization.v1.LocalSubjectAccessReview
    d(185, 288, 2, L::Object, false), // io.k8s.api.authorization.v1.NonResourceAttributes
    d(187, 290, 2, L::Object, false), // io.k8s.api.authorization.v1.NonResourceRule
    d(190, 292, 9, L::Object, false), // io.k8s.api.authorization.v1.ResourceAttributes
    d(197, 301, 4, L::Object, false), // io.k8s.api.authorization.v1.ResourceRule
    d(198, 305, 5, L::Object, false), // io.k8s.api.authorization.v1.SelfSubjectAccessReview
    d(199, 310, 2, L::Object, false), // io.k8s.api.authorization.v1.SelfSubjectAccessReviewSpec
    d(202, 312, 5, L::Object, false), // io.k8s.api.authorization.v1.SelfSubjectRulesReview
    d(203, 317, 1, L::Object, false), // io.k8s.api.authorization.v1.SelfSubjectRulesReviewSpec
    d(204, 318, 5, L::Object, false), // io.k8s.api.authorization.v1.SubjectAccessReview
    d(205, 323, 6, L::Object, false), // io.k8s.api.authorization.v1.SubjectAccessReviewSpec
    d(206, 329, 4, L::Object, false), // io.k8s.api.authorization.v1.SubjectAccessReviewStatus
    d(210, 333, 4, L::Object, false), // io.k8s.api.authorization.v1.SubjectRulesReviewStatus
    d(213, 337, 3, L::Object, true), // io.k8s.api.autoscaling.v1.CrossVersionObjectReference
    d(214, 340, 5, L::Object, false), // io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler
    d(215, 345, 4, L::Object, false), // io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec
    d(220, 349, 5, L::Object, false), // io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerStatus
    d(224, 354, 5, L::Object, false), // io.k8s.api.autoscaling.v1.Scale
    d(225, 359, 1, L::Object, false), // io.k8s.api.autoscaling.v1.ScaleSpec
    d(227, 360, 2, L::Object, false), // io.k8s.api.autoscaling.v1.ScaleStatus
    d(228, 362, 3, L::Object, false), // io.k8s.api.autoscaling.v2.ContainerResourceMetricSource
    d(231, 365, 3, L::Object, false), // io.k8s.api.autoscaling.v2.ContainerResourceMetricStatus
    d(233, 368, 3, L::Object, false), // io.k8s.api.autoscaling.v2.CrossVersionObjectReference
    d(234, 371, 2, L::Object, false), // io.k8s.api.autoscaling.v2.ExternalMetricSource
    d(236, 373, 2, L::Object, false), // io.k8s.api.autoscaling.v2.ExternalMetricStatus
    d(237, 375, 3, L::Object, false), // io.k8s.api.autoscaling.v2.HPAScalingPolicy
    d(240, 378, 4, L::Object, false), // io.k8s.api.autoscaling.v2.HPAScalingRules
    d(245, 382, 5, L::Object, false), // io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler
    d(246, 387, 2, L::Object, false), // io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior
    d(249, 389, 6, L::Object, false), // io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerCondition
    d(250, 395, 5, L::Object, false), // io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec
    d(253, 400, 6, L::Object, false), // io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus
    d(255, 406, 2, L::Object, false), // io.k8s.api.autoscaling.v2.MetricIdentifier
    d(256, 408, 6, L::Object, false), // io.k8s.api.autoscaling.v2.MetricSpec
    d(261, 414, 6, L::Object, false), // io.k8s.api.autoscaling.v2.MetricStatus
    d(262, 420, 4, L::Object, false), // io.k8s.api.autoscaling.v2.MetricTarget
    d(265, 424, 3, L::Object, false), // io.k8s.api.autoscaling.v2.MetricValueStatus
    d(266, 427, 3, L::Object, false), // io.k8s.api.autoscaling.v2.ObjectMetricSource
    d(268, 430, 3, L::Object, false), // io.k8s.api.autoscaling.v2.ObjectMetricStatus
    d(269, 433, 2, L::Object, false), // io.k8s.api.autoscaling.v2.PodsMetricSource
    d(270, 435, 2, L::Object, false), // io.k8s.api.autoscaling.v2.PodsMetricStatus
    d(271, 437, 2, L::Object, false), // io.k8s.api.autoscaling.v2.ResourceMetricSource
    d(272, 439, 2, L::Object, false), // io.k8s.api.autoscaling.v2.ResourceMetricStatus
    d(273, 441, 5, L::Object, false), // io.k8s.api.batch.v1.CronJob
    d(274, 446, 8, L::Object, false), // io.k8s.api.batch.v1.CronJobSpec
    d(283, 454, 3, L::Object, false), // io.k8s.api.batch.v1.CronJobStatus
    d(287, 457, 5, L::Object, false), // io.k8s.api.batch.v1.Job
    d(288, 462, 6, L::Object, false), // io.k8s.api.batch.v1.JobCondition
    d(290, 468, 4, L::Object, false), // io.k8s.api.batch.v1.JobSchedulingConfiguration
    d(295, 472, 17, L::Object, false), // io.k8s.api.batch.v1.JobSpec
    d(310, 489, 11, L::Object, false), // io.k8s.api.batch.v1.JobStatus
    d(320, 500, 2, L::Object, false), // io.k8s.api.batch.v1.JobTemplateSpec
    d(321, 502, 1, L::Object, false), // io.k8s.api.batch.v1.PodFailurePolicy
    d(322, 503, 3, L::Object, false), // io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement
    d(326, 506, 2, L::Object, false), // io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern
    d(327, 508, 3, L::Object, false), // io.k8s.api.batch.v1.PodFailurePolicyRule
    d(331, 511, 1, L::Object, false), // io.k8s.api.batch.v1.SuccessPolicy
    d(332, 512, 2, L::Object, false), // io.k8s.api.batch.v1.SuccessPolicyRule
    d(335, 514, 2, L::Object, false), // io.k8s.api.batch.v1.UncountedTerminatedPods
    d(336, 516, 5, L::Object, false), // io.k8s.api.certificates.v1.CertificateSigningRequest
    d(337, 521, 6, L::Object, false), // io.k8s.api.certificates.v1.CertificateSigningRequestCondition
    d(338, 527, 8, L::Object, false), // io.k8s.api.certificates.v1.CertificateSigningRequestSpec
    d(342, 535, 2, L::Object, false), // io.k8s.api.certificates.v1.CertificateSigningRequestStatus
    d(344, 537, 4, L::Object, false), // io.k8s.api.certificates.v1.ClusterTrustBundle
    d(345, 541, 2, L::Object, false), // io.k8s.api.certificates.v1.ClusterTrustBundleSpec
    d(347, 543, 5, L::Object, false), // io.k8s.api.certificates.v1.PodCertificateRequest
    d(348, 548, 10, L::Object, false), // io.k8s.api.certificates.v1.PodCertificateRequestSpec
    d(359, 558, 5, L::Object, false), // io.k8s.api.certificates.v1.PodCertificateRequestStatus
    d(364, 563, 4, L::Object, false), // io.k8s.api.coordination.v1.Lease
    d(365, 567, 7, L::Object, false), // io.k8s.api.coordination.v1.LeaseSpec
    d(372, 574, 4, L::Object, false), // io.k8s.api.core.v1.AWSElasticBlockStoreVolumeSource
    d(376, 578, 3, L::Object, false), // io.k8s.api.core.v1.Affinity
    d(380, 581, 2, L::Object, false), // io.k8s.api.core.v1.AppArmorProfile
    d(382, 583, 2, L::Object, false), // io.k8s.api.core.v1.AttachedVolume
    d(384, 585, 6, L::Object, false), // io.k8s.api.core.v1.AzureDiskVolumeSource
    d(392, 591, 4, L::Object, false), // io.k8s.api.core.v1.AzureFilePersistentVolumeSource
    d(396, 595, 3, L::Object, false), // io.k8s.api.core.v1.AzureFileVolumeSource
    d(397, 598, 4, L::Object, false), // io.k8s.api.core.v1.Binding
    d(398, 602, 10, L::Object, false), // io.k8s.api.core.v1.CSIPersistentVolumeSource
    d(407, 612, 5, L::Object, false), // io.k8s.api.core.v1.CSIVolumeSource
    d(408, 617, 2, L::Object, false), // io.k8s.api.core.v1.Capabilities
    d(411, 619, 6, L::Object, false), // io.k8s.api.core.v1.CephFSPersistentVolumeSource
    d(415, 625, 6, L::Object, false), // io.k8s.api.core.v1.CephFSVolumeSource
    d(416, 631, 4, L::Object, false), // io.k8s.api.core.v1.CinderPersistentVolumeSource
    d(417, 635, 4, L::Object, false), // io.k8s.api.core.v1.CinderVolumeSource
    d(418, 639, 1, L::Object, false), // io.k8s.api.core.v1.ClientIPConfig
    d(419, 640, 6, L::Object, false), // io.k8s.api.core.v1.ClusterTrustBundleProjection
    d(421, 646, 4, L::Object, false), // io.k8s.api.core.v1.ComponentCondition
    d(422, 650, 4, L::Object, false), // io.k8s.api.core.v1.ComponentStatus
    d(423, 654, 6, L::Object, false), // io.k8s.api.core.v1.ConfigMap
    d(426, 660, 2, L::Object, false), // io.k8s.api.core.v1.ConfigMapEnvSource
    d(428, 662, 3, L::Object, true), // io.k8s.api.core.v1.ConfigMapKeySelector
    d(429, 665, 5, L::Object, false), // io.k8s.api.core.v1.ConfigMapNodeConfigSource
    d(432, 670, 3, L::Object, false), // io.k8s.api.core.v1.ConfigMapProjection
    d(434, 673, 5, L::Object, false), // io.k8s.api.core.v1.ConfigMapVolumeSource
    d(437, 678, 25, L::Object, false), // io.k8s.api.core.v1.Container
    d(461, 703, 3, L::Object, false), // io.k8s.api.core.v1.ContainerExtendedResourceRequest
    d(464, 706, 2, L::Object, false), // io.k8s.api.core.v1.ContainerImage
    d(467, 708, 5, L::Object, false), // io.k8s.api.core.v1.ContainerPort
    d(473, 713, 2, L::Object, false), // io.k8s.api.core.v1.ContainerResizePolicy
    d(474, 715, 2, L::Object, false), // io.k8s.api.core.v1.ContainerRestartRule
    d(476, 717, 2, L::Object, false), // io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes
    d(477, 719, 3, L::Object, false), // io.k8s.api.core.v1.ContainerState
    d(481, 722, 1, L::Object, false), // io.k8s.api.core.v1.ContainerStateRunning
    d(483, 723, 7, L::Object, false), // io.k8s.api.core.v1.ContainerStateTerminated
    d(488, 730, 2, L::Object, false), // io.k8s.api.core.v1.ContainerStateWaiting
    d(489, 732, 15, L::Object, false), // io.k8s.api.core.v1.ContainerStatus
    d(498, 747, 1, L::Object, false), // io.k8s.api.core.v1.ContainerUser
    d(500, 748, 1, L::Object, false), // io.k8s.api.core.v1.DaemonEndpoint
    d(502, 749, 1, L::Object, false), // io.k8s.api.core.v1.DownwardAPIProjection
    d(503, 750, 5, L::Object, false), // io.k8s.api.core.v1.DownwardAPIVolumeFile
    d(506, 755, 3, L::Object, false), // io.k8s.api.core.v1.DownwardAPIVolumeSource
    d(507, 758, 3, L::Object, false), // io.k8s.api.core.v1.EmptyDirVolumeSource
    d(510, 761, 4, L::Object, true), // io.k8s.api.core.v1.EndpointAddress
    d(514, 765, 4, L::Object, true), // io.k8s.api.core.v1.EndpointPort
    d(516, 769, 3, L::Object, false), // io.k8s.api.core.v1.EndpointSubset
    d(519, 772, 4, L::Object, false), // io.k8s.api.core.v1.Endpoints
    d(521, 776, 3, L::Object, false), // io.k8s.api.core.v1.EnvFromSource
    d(524, 779, 3, L::Object, false), // io.k8s.api.core.v1.EnvVar
    d(526, 782, 5, L::Object, false), // io.k8s.api.core.v1.EnvVarSource
    d(530, 787, 26, L::Object, false), // io.k8s.api.core.v1.EphemeralContainer
    d(532, 813, 1, L::Object, false), // io.k8s.api.core.v1.EphemeralVolumeSource
    d(534, 814, 17, L::Object, false), // io.k8s.api.core.v1.Event
    d(545, 831, 2, L::Object, false), // io.k8s.api.core.v1.EventSeries
    d(547, 833, 2, L::Object, false), // io.k8s.api.core.v1.EventSource
    d(550, 835, 2, L::Object, false), // io.k8s.api.core.v1.EvictionResponder
    d(552, 837, 1, L::Object, false), // io.k8s.api.core.v1.ExecAction
    d(553, 838, 5, L::Object, false), // io.k8s.api.core.v1.FCVolumeSource
    d(557, 843, 4, L::Object, true), // io.k8s.api.core.v1.FileKeySelector
    d(559, 847, 5, L::Object, false), // io.k8s.api.core.v1.FlexPersistentVolumeSource
    d(561, 852, 5, L::Object, false), // io.k8s.api.core.v1.FlexVolumeSource
    d(562, 857, 2, L::Object, false), // io.k8s.api.core.v1.FlockerVolumeSource
    d(565, 859, 4, L::Object, false), // io.k8s.api.core.v1.GCEPersistentDiskVolumeSource
    d(567, 863, 3, L::Object, false), // io.k8s.api.core.v1.GRPCAction
    d(568, 866, 3, L::Object, false), // io.k8s.api.core.v1.GitRepoVolumeSource
    d(571, 869, 4, L::Object, false), // io.k8s.api.core.v1.GlusterfsPersistentVolumeSource
    d(574, 873, 3, L::Object, false), // io.k8s.api.core.v1.GlusterfsVolumeSource
    d(575, 876, 6, L::Object, false), // io.k8s.api.core.v1.HTTPGetAction
    d(578, 882, 2, L::Object, false), // io.k8s.api.core.v1.HTTPHeader
    d(579, 884, 2, L::Object, false), // io.k8s.api.core.v1.HostAlias
    d(581, 886, 1, L::Object, false), // io.k8s.api.core.v1.HostIP
    d(582, 887, 2, L::Object, false), // io.k8s.api.core.v1.HostPathVolumeSource
    d(583, 889, 11, L::Object, false), // io.k8s.api.core.v1.ISCSIPersistentVolumeSource
    d(592, 900, 11, L::Object, false), // io.k8s.api.core.v1.ISCSIVolumeSource
    d(593, 911, 2, L::Object, false), // io.k8s.api.core.v1.ImageVolumeSource
    d(596, 913, 1, L::Object, false), // io.k8s.api.core.v1.ImageVolumeStatus
    d(598, 914, 4, L::Object, false), // io.k8s.api.core.v1.KeyToPath
    d(599, 918, 3, L::Object, false), // io.k8s.api.core.v1.Lifecycle
    d(602, 921, 4, L::Object, false), // io.k8s.api.core.v1.LifecycleHandler
    d(607, 925, 4, L::Object, false), // io.k8s.api.core.v1.LimitRange
    d(608, 929, 6, L::Object, false), // io.k8s.api.core.v1.LimitRangeItem
    d(614, 935, 1, L::Object, false), // io.k8s.api.core.v1.LimitRangeSpec
    d(616, 936, 3, L::Object, false), // io.k8s.api.core.v1.LinuxContainerUser
    d(619, 939, 4, L::Object, false), // io.k8s.api.core.v1.LoadBalancerIngress
    d(621, 943, 1, L::Object, false), // io.k8s.api.core.v1.LoadBalancerStatus
    d(623, 944, 1, L::Object, true), // io.k8s.api.core.v1.LocalObjectReference
    d(624, 945, 2, L::Object, false), // io.k8s.api.core.v1.LocalVolumeSource
    d(625, 947, 2, L::Object, false), // io.k8s.api.core.v1.ModifyVolumeStatus
    d(627, 949, 3, L::Object, false), // io.k8s.api.core.v1.NFSVolumeSource
    d(629, 952, 5, L::Object, false), // io.k8s.api.core.v1.Namespace
    d(630, 957, 5, L::Object, false), // io.k8s.api.core.v1.NamespaceCondition
    d(631, 962, 1, L::Object, false), // io.k8s.api.core.v1.NamespaceSpec
    d(633, 963, 2, L::Object, false), // io.k8s.api.core.v1.NamespaceStatus
    d(635, 965, 5, L::Object, false), // io.k8s.api.core.v1.Node
    d(636, 970, 2, L::Object, false), // io.k8s.api.core.v1.NodeAddress
    d(638, 972, 2, L::Object, false), // io.k8s.api.core.v1.NodeAffinity
    d(641, 974, 2, L::Object, false), // io.k8s.api.core.v1.NodeAllocatableMappedResources
    d(643, 976, 3, L::Object, false), // io.k8s.api.core.v1.NodeAllocatableOverheadResources
    d(646, 979, 4, L::Object, false), // io.k8s.api.core.v1.NodeAllocatableResourceClaimStatus
    d(651, 983, 6, L::Object, false), // io.k8s.api.core.v1.NodeCondition
    d(653, 989, 1, L::Object, false), // io.k8s.api.core.v1.NodeConfigSource
    d(655, 990, 4, L::Object, false), // io.k8s.api.core.v1.NodeConfigStatus
    d(658, 994, 1, L::Object, false), // io.k8s.api.core.v1.NodeDaemonEndpoints
    d(660, 995, 1, L::Object, false), // io.k8s.api.core.v1.NodeFeatures
    d(662, 996, 1, L::Object, false), // io.k8s.api.core.v1.NodePodPreemptionPolicy
    d(664, 997, 2, L::Object, false), // io.k8s.api.core.v1.NodeRuntimeHandler
    d(666, 999, 2, L::Object, false), // io.k8s.api.core.v1.NodeRuntimeHandlerFeatures
    d(669, 1001, 1, L::Object, true), // io.k8s.api.core.v1.NodeSelector
    d(671, 1002, 3, L::Object, false), // io.k8s.api.core.v1.NodeSelectorRequirement
    d(672, 1005, 2, L::Object, true), // io.k8s.api.core.v1.NodeSelectorTerm
    d(675, 1007, 8, L::Object, false), // io.k8s.api.core.v1.NodeSpec
    d(684, 1015, 14, L::Object, false), // io.k8s.api.core.v1.NodeStatus
    d(695, 1029, 1, L::Object, false), // io.k8s.api.core.v1.NodeSwapStatus
    d(696, 1030, 12, L::Object, false), // io.k8s.api.core.v1.NodeSystemInfo
    d(709, 1042, 2, L::Object, true), // io.k8s.api.core.v1.ObjectFieldSelector
    d(711, 1044, 7, L::Object, true), // io.k8s.api.core.v1.ObjectReference
    d(712, 1051, 5, L::Object, false), // io.k8s.api.core.v1.PersistentVolume
    d(713, 1056, 5, L::Object, false), // io.k8s.api.core.v1.PersistentVolumeClaim
    d(714, 1061, 6, L::Object, false), // io.k8s.api.core.v1.PersistentVolumeClaimCondition
    d(715, 1067, 9, L::Object, false), // io.k8s.api.core.v1.PersistentVolumeClaimSpec
    d(722, 1076, 9, L::Object, false), // io.k8s.api.core.v1.PersistentVolumeClaimStatus
    d(727, 1085, 2, L::Object, false), // io.k8s.api.core.v1.PersistentVolumeClaimTemplate
    d(728, 1087, 2, L::Object, false), // io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource
    d(730, 1089, 31, L::Object, false), // io.k8s.api.core.v1.PersistentVolumeSpec
    d(756, 1120, 4, L::Object, false), // io.k8s.api.core.v1.PersistentVolumeStatus
    d(758, 1124, 2, L::Object, false), // io.k8s.api.core.v1.PhotonPersistentDiskVolumeSource
    d(760, 1126, 5, L::Object, false), // io.k8s.api.core.v1.Pod
    d(761, 1131, 2, L::Object, false), // io.k8s.api.core.v1.PodAffinity
    d(762, 1133, 6, L::Object, false), // io.k8s.api.core.v1.PodAffinityTerm
    d(767, 1139, 2, L::Object, false), // io.k8s.api.core.v1.PodAntiAffinity
    d(768, 1141, 8, L::Object, false), // io.k8s.api.core.v1.PodCertificateProjection
    d(774, 1149, 7, L::Object, false), // io.k8s.api.core.v1.PodCondition
    d(775, 1156, 3, L::Object, false), // io.k8s.api.core.v1.PodDNSConfig
    d(778, 1159, 2, L::Object, false), // io.k8s.api.core.v1.PodDNSConfigOption
    d(779, 1161, 2, L::Object, false), // io.k8s.api.core.v1.PodExtendedResourceClaimStatus
    d(781, 1163, 1, L::Object, false), // io.k8s.api.core.v1.PodIP
    d(782, 1164, 1, L::Object, false), // io.k8s.api.core.v1.PodOS
    d(783, 1165, 1, L::Object, false), // io.k8s.api.core.v1.PodReadinessGate
    d(785, 1166, 3, L::Object, false), // io.k8s.api.core.v1.PodResourceClaim
    d(787, 1169, 2, L::Object, false), // io.k8s.api.core.v1.PodResourceClaimStatus
    d(788, 1171, 1, L::Object, false), // io.k8s.api.core.v1.PodSchedulingGate
    d(789, 1172, 1, L::Object, false), // io.k8s.api.core.v1.PodSchedulingGroup
    d(791, 1173, 13, L::Object, false), // io.k8s.api.core.v1.PodSecurityContext
    d(803, 1186, 43, L::Object, false), // io.k8s.api.core.v1.PodSpec
    d(836, 1229, 22, L::Object, false), // io.k8s.api.core.v1.PodStatus
    d(850, 1251, 4, L::Object, false), // io.k8s.api.core.v1.PodTemplate
    d(851, 1255, 2, L::Object, false), // io.k8s.api.core.v1.PodTemplateSpec
    d(852, 1257, 3, L::Object, false), // io.k8s.api.core.v1.PodVolumeHealth
    d(854, 1260, 3, L::Object, false), // io.k8s.api.core.v1.PortStatus
    d(855, 1263, 3, L::Object, false), // io.k8s.api.core.v1.PortworxVolumeSource
    d(856, 1266, 2, L::Object, false), // io.k8s.api.core.v1.PreferredSchedulingTerm
    d(859, 1268, 10, L::Object, false), // io.k8s.api.core.v1.Probe
    d(864, 1278, 3, L::Object, false), // io.k8s.api.core.v1.ProjectedVolumeSource
    d(866, 1281, 6, L::Object, false), // io.k8s.api.core.v1.QuobyteVolumeSource
    d(870, 1287, 8, L::Object, false), // io.k8s.api.core.v1.RBDPersistentVolumeSource
    d(876, 1295, 8, L::Object, false), // io.k8s.api.core.v1.RBDVolumeSource
    d(877, 1303, 5, L::Object, false), // io.k8s.api.core.v1.ReplicationController
    d(878, 1308, 5, L::Object, false), // io.k8s.api.core.v1.ReplicationControllerCondition
    d(879, 1313, 4, L::Object, false), // io.k8s.api.core.v1.ReplicationControllerSpec
    d(881, 1317, 6, L::Object, false), // io.k8s.api.core.v1.ReplicationControllerStatus
    d(882, 1323, 2, L::Object, false), // io.k8s.api.core.v1.ResourceClaim
    d(883, 1325, 3, L::Object, true), // io.k8s.api.core.v1.ResourceFieldSelector
    d(885, 1328, 3, L::Object, false), // io.k8s.api.core.v1.ResourceHealth
    d(888, 1331, 5, L::Object, false), // io.k8s.api.core.v1.ResourceQuota
    d(889, 1336, 3, L::Object, false), // io.k8s.api.core.v1.ResourceQuotaSpec
    d(893, 1339, 2, L::Object, false), // io.k8s.api.core.v1.ResourceQuotaStatus
    d(895, 1341, 3, L::Object, false), // io.k8s.api.core.v1.ResourceRequirements
    d(898, 1344, 2, L::Object, false), // io.k8s.api.core.v1.ResourceStatus
    d(899, 1346, 4, L::Object, false), // io.k8s.api.core.v1.SELinuxOptions
    d(902, 1350, 10, L::Object, false), // io.k8s.api.core.v1.ScaleIOPersistentVolumeSource
    d(911, 1360, 10, L::Object, false), // io.k8s.api.core.v1.ScaleIOVolumeSource
    d(912, 1370, 1, L::Object, true), // io.k8s.api.core.v1.ScopeSelector
    d(913, 1371, 3, L::Object, false), // io.k8s.api.core.v1.ScopedResourceSelectorRequirement
    d(915, 1374, 2, L::Object, false), // io.k8s.api.core.v1.SeccompProfile
    d(916, 1376, 7, L::Object, false), // io.k8s.api.core.v1.Secret
    d(918, 1383, 2, L::Object, false), // io.k8s.api.core.v1.SecretEnvSource
    d(919, 1385, 3, L::Object, true), // io.k8s.api.core.v1.SecretKeySelector
    d(920, 1388, 3, L::Object, false), // io.k8s.api.core.v1.SecretProjection
    d(921, 1391, 2, L::Object, true), // io.k8s.api.core.v1.SecretReference
    d(922, 1393, 5, L::Object, false), // io.k8s.api.core.v1.SecretVolumeSource
    d(923, 1398, 12, L::Object, false), // io.k8s.api.core.v1.SecurityContext
    d(929, 1410, 5, L::Object, false), // io.k8s.api.core.v1.Service
    d(930, 1415, 6, L::Object, false), // io.k8s.api.core.v1.ServiceAccount
    d(932, 1421, 4, L::Object, false), // io.k8s.api.core.v1.ServiceAccountTokenProjection
    d(934, 1425, 6, L::Object, false), // io.k8s.api.core.v1.ServicePort
    d(937, 1431, 20, L::Object, false), // io.k8s.api.core.v1.ServiceSpec
    d(955, 1451, 2, L::Object, false), // io.k8s.api.core.v1.ServiceStatus
    d(957, 1453, 1, L::Object, false), // io.k8s.api.core.v1.SessionAffinityConfig
    d(959, 1454, 1, L::Object, false), // io.k8s.api.core.v1.SleepAction
    d(961, 1455, 5, L::Object, false), // io.k8s.api.core.v1.StorageOSPersistentVolumeSource
    d(963, 1460, 5, L::Object, false), // io.k8s.api.core.v1.StorageOSVolumeSource
    d(964, 1465, 2, L::Object, false), // io.k8s.api.core.v1.Sysctl
    d(965, 1467, 2, L::Object, false), // io.k8s.api.core.v1.TCPSocketAction
    d(966, 1469, 4, L::Object, false), // io.k8s.api.core.v1.Taint
    d(969, 1473, 5, L::Object, false), // io.k8s.api.core.v1.Toleration
    d(971, 1478, 2, L::Object, false), // io.k8s.api.core.v1.TopologySelectorLabelRequirement
    d(972, 1480, 1, L::Object, true), // io.k8s.api.core.v1.TopologySelectorTerm
    d(974, 1481, 8, L::Object, false), // io.k8s.api.core.v1.TopologySpreadConstraint
    d(980, 1489, 3, L::Object, true), // io.k8s.api.core.v1.TypedLocalObjectReference
    d(982, 1492, 4, L::Object, false), // io.k8s.api.core.v1.TypedObjectReference
    d(983, 1496, 31, L::Object, false), // io.k8s.api.core.v1.Volume
    d(991, 1527, 2, L::Object, false), // io.k8s.api.core.v1.VolumeDevice
    d(992, 1529, 3, L::Object, false), // io.k8s.api.core.v1.VolumeHealthCondition
    d(993, 1532, 2, L::Object, false), // io.k8s.api.core.v1.VolumeHealthStatus
    d(994, 1534, 8, L::Object, false), // io.k8s.api.core.v1.VolumeMount
    d(1001, 1542, 5, L::Object, false), // io.k8s.api.core.v1.VolumeMountStatus
    d(1003, 1547, 1, L::Object, false), // io.k8s.api.core.v1.VolumeNodeAffinity
    d(1005, 1548, 6, L::Object, false), // io.k8s.api.core.v1.VolumeProjection
    d(1009, 1554, 2, L::Object, false), // io.k8s.api.core.v1.VolumeResourceRequirements
    d(1010, 1556, 1, L::Object, false), // io.k8s.api.core.v1.VolumeStatus
    d(1011, 1557, 4, L::Object, false), // io.k8s.api.core.v1.VsphereVirtualDiskVolumeSource
    d(1015, 1561, 2, L::Object, false), // io.k8s.api.core.v1.WeightedPodAffinityTerm
    d(1017, 1563, 4, L::Object, false), // io.k8s.api.core.v1.WindowsSecurityContextOptions
    d(1022, 1567, 8, L::Object, false), // io.k8s.api.discovery.v1.Endpoint
    d(1026, 1575, 3, L::Object, false), // io.k8s.api.discovery.v1.EndpointConditions
    d(1028, 1578, 2, L::Object, false), // io.k8s.api.discovery.v1.EndpointHints
    d(1031, 1580, 4, L::Object, true), // io.k8s.api.discovery.v1.EndpointPort
    d(1032, 1584, 6, L::Object, false), // io.k8s.api.discovery.v1.EndpointSlice
    d(1034, 1590, 1, L::Object, false), // io.k8s.api.discovery.v1.ForNode
    d(1035, 1591, 1, L::Object, false), // io.k8s.api.discovery.v1.ForZone
    d(1036, 1592, 17, L::Object, false), // io.k8s.api.events.v1.Event
    d(1044, 1609, 2, L::Object, false), // io.k8s.api.events.v1.EventSeries
    d(1045, 1611, 2, L::Object, false), // io.k8s.api.flowcontrol.v1.ExemptPriorityLevelConfiguration
    d(1048, 1613, 1, L::Object, false), // io.k8s.api.flowcontrol.v1.FlowDistinguisherMethod
    d(1049, 1614, 5, L::Object, false), // io.k8s.api.flowcontrol.v1.FlowSchema
    d(1050, 1619, 5, L::Object, false), // io.k8s.api.flowcontrol.v1.FlowSchemaCondition
    d(1051, 1624, 4, L::Object, false), // io.k8s.api.flowcontrol.v1.FlowSchemaSpec
    d(1055, 1628, 1, L::Object, false), // io.k8s.api.flowcontrol.v1.FlowSchemaStatus
    d(1056, 1629, 1, L::Object, false), // io.k8s.api.flowcontrol.v1.GroupSubject
    d(1057, 1630, 2, L::Object, false), // io.k8s.api.flowcontrol.v1.LimitResponse
    d(1059, 1632, 4, L::Object, false), // io.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfiguration
    d(1062, 1636, 2, L::Object, false), // io.k8s.api.flowcontrol.v1.NonResourcePolicyRule
    d(1063, 1638, 3, L::Object, false), // io.k8s.api.flowcontrol.v1.PolicyRulesWithSubjects
    d(1065, 1641, 5, L::Object, false), // io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration
    d(1066, 1646, 5, L::Object, false), // io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationCondition
    d(1067, 1651, 1, L::Object, false), // io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationReference
    d(1068, 1652, 3, L::Object, false), // io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec
    d(1071, 1655, 1, L::Object, false), // io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationStatus
    d(1072, 1656, 3, L::Object, false), // io.k8s.api.flowcontrol.v1.QueuingConfiguration
    d(1076, 1659, 5, L::Object, false), // io.k8s.api.flowcontrol.v1.ResourcePolicyRule
    d(1078, 1664, 2, L::Object, false), // io.k8s.api.flowcontrol.v1.ServiceAccountSubject
    d(1079, 1666, 4, L::Object, false), // io.k8s.api.flowcontrol.v1.Subject
    d(1080, 1670, 1, L::Object, false), // io.k8s.api.flowcontrol.v1.UserSubject
    d(1081, 1671, 3, L::Object, false), // io.k8s.api.networking.v1.HTTPIngressPath
    d(1084, 1674, 1, L::Object, false), // io.k8s.api.networking.v1.HTTPIngressRuleValue
    d(1086, 1675, 4, L::Object, false), // io.k8s.api.networking.v1.IPAddress
    d(1087, 1679, 1, L::Object, false), // io.k8s.api.networking.v1.IPAddressSpec
    d(1089, 1680, 2, L::Object, false), // io.k8s.api.networking.v1.IPBlock
    d(1092, 1682, 5, L::Object, false), // io.k8s.api.networking.v1.Ingress
    d(1093, 1687, 2, L::Object, false), // io.k8s.api.networking.v1.IngressBackend
    d(1094, 1689, 4, L::Object, false), // io.k8s.api.networking.v1.IngressClass
    d(1095, 1693, 5, L::Object, false), // io.k8s.api.networking.v1.IngressClassParametersReference
    d(1096, 1698, 2, L::Object, false), // io.k8s.api.networking.v1.IngressClassSpec
    d(1099, 1700, 3, L::Object, false), // io.k8s.api.networking.v1.IngressLoadBalancerIngress
    d(1100, 1703, 1, L::Object, false), // io.k8s.api.networking.v1.IngressLoadBalancerStatus
    d(1101, 1704, 3, L::Object, false), // io.k8s.api.networking.v1.IngressPortStatus
    d(1102, 1707, 2, L::Object, false), // io.k8s.api.networking.v1.IngressRule
    d(1104, 1709, 2, L::Object, false), // io.k8s.api.networking.v1.IngressServiceBackend
    d(1105, 1711, 4, L::Object, false), // io.k8s.api.networking.v1.IngressSpec
    d(1109, 1715, 1, L::Object, false), // io.k8s.api.networking.v1.IngressStatus
    d(1110, 1716, 2, L::Object, false), // io.k8s.api.networking.v1.IngressTLS
    d(1112, 1718, 4, L::Object, false), // io.k8s.api.networking.v1.NetworkPolicy
    d(1113, 1722, 2, L::Object, false), // io.k8s.api.networking.v1.NetworkPolicyEgressRule
    d(1115, 1724, 2, L::Object, false), // io.k8s.api.networking.v1.NetworkPolicyIngressRule
    d(1117, 1726, 3, L::Object, false), // io.k8s.api.networking.v1.NetworkPolicyPeer
    d(1120, 1729, 3, L::Object, false), // io.k8s.api.networking.v1.NetworkPolicyPort
    d(1122, 1732, 4, L::Object, false), // io.k8s.api.networking.v1.NetworkPolicySpec
    d(1125, 1736, 4, L::Object, false), // io.k8s.api.networking.v1.ParentReference
    d(1126, 1740, 2, L::Object, true), // io.k8s.api.networking.v1.ServiceBackendPort
    d(1128, 1742, 5, L::Object, false), // io.k8s.api.networking.v1.ServiceCIDR
    d(1129, 1747, 1, L::Object, false), // io.k8s.api.networking.v1.ServiceCIDRSpec
    d(1131, 1748, 1, L::Object, false), // io.k8s.api.networking.v1.ServiceCIDRStatus
    d(1132, 1749, 1, L::Object, false), // io.k8s.api.node.v1.Overhead
    d(1134, 1750, 6, L::Object, false), // io.k8s.api.node.v1.RuntimeClass
    d(1136, 1756, 2, L::Object, false), // io.k8s.api.node.v1.Scheduling
    d(1137, 1758, 4, L::Object, false), // io.k8s.api.policy.v1.Eviction
    d(1139, 1762, 5, L::Object, false), // io.k8s.api.policy.v1.PodDisruptionBudget
    d(1140, 1767, 4, L::Object, false), // io.k8s.api.policy.v1.PodDisruptionBudgetSpec
    d(1143, 1771, 7, L::Object, false), // io.k8s.api.policy.v1.PodDisruptionBudgetStatus
    d(1149, 1778, 1, L::Object, false), // io.k8s.api.rbac.v1.AggregationRule
    d(1151, 1779, 5, L::Object, false), // io.k8s.api.rbac.v1.ClusterRole
    d(1153, 1784, 5, L::Object, false), // io.k8s.api.rbac.v1.ClusterRoleBinding
    d(1155, 1789, 5, L::Object, false), // io.k8s.api.rbac.v1.PolicyRule
    d(1156, 1794, 4, L::Object, false), // io.k8s.api.rbac.v1.Role
    d(1157, 1798, 5, L::Object, false), // io.k8s.api.rbac.v1.RoleBinding
    d(1158, 1803, 3, L::Object, true), // io.k8s.api.rbac.v1.RoleRef
    d(1159, 1806, 4, L::Object, true), // io.k8s.api.rbac.v1.Subject
    d(1160, 1810, 7, L::Object, false), // io.k8s.api.resource.v1.AllocatedDeviceStatus
    d(1164, 1817, 3, L::Object, false), // io.k8s.api.resource.v1.AllocationResult
    d(1167, 1820, 1, L::Object, false), // io.k8s.api.resource.v1.CELDeviceSelector
    d(1168, 1821, 3, L::Object, false), // io.k8s.api.resource.v1.CapacityRequestPolicy
    d(1171, 1824, 3, L::Object, false), // io.k8s.api.resource.v1.CapacityRequestPolicyRange
    d(1173, 1827, 1, L::Object, false), // io.k8s.api.resource.v1.CapacityRequirements
    d(1174, 1828, 1, L::Object, false), // io.k8s.api.resource.v1.Counter
    d(1175, 1829, 2, L::Object, false), // io.k8s.api.resource.v1.CounterSet
    d(1177, 1831, 13, L::Object, false), // io.k8s.api.resource.v1.Device
    d(1186, 1844, 3, L::Object, false), // io.k8s.api.resource.v1.DeviceAllocationConfiguration
    d(1188, 1847, 2, L::Object, false), // io.k8s.api.resource.v1.DeviceAllocationResult
    d(1190, 1849, 8, L::Object, false), // io.k8s.api.resource.v1.DeviceAttribute
    d(1198, 1857, 2, L::Object, false), // io.k8s.api.resource.v1.DeviceCapacity
    d(1200, 1859, 3, L::Object, false), // io.k8s.api.resource.v1.DeviceClaim
    d(1202, 1862, 2, L::Object, false), // io.k8s.api.resource.v1.DeviceClaimConfiguration
    d(1203, 1864, 4, L::Object, false), // io.k8s.api.resource.v1.DeviceClass
    d(1204, 1868, 1, L::Object, false), // io.k8s.api.resource.v1.DeviceClassConfiguration
    d(1205, 1869, 3, L::Object, false), // io.k8s.api.resource.v1.DeviceClassSpec
    d(1208, 1872, 3, L::Object, false), // io.k8s.api.resource.v1.DeviceConstraint
    d(1211, 1875, 3, L::Object, false), // io.k8s.api.resource.v1.DeviceCounterConsumption
    d(1214, 1878, 2, L::Object, false), // io.k8s.api.resource.v1.DeviceDerivedAttribute
    d(1215, 1880, 3, L::Object, false), // io.k8s.api.resource.v1.DeviceRequest
    d(1218, 1883, 11, L::Object, false), // io.k8s.api.resource.v1.DeviceRequestAllocationResult
    d(1222, 1894, 1, L::Object, false), // io.k8s.api.resource.v1.DeviceSelector
    d(1224, 1895, 8, L::Object, false), // io.k8s.api.resource.v1.DeviceSubRequest
    d(1228, 1903, 4, L::Object, false), // io.k8s.api.resource.v1.DeviceTaint
    d(1229, 1907, 5, L::Object, false), // io.k8s.api.resource.v1.DeviceTaintRule
    d(1230, 1912, 2, L::Object, false), // io.k8s.api.resource.v1.DeviceTaintRuleSpec
    d(1233, 1914, 1, L::Object, false), // io.k8s.api.resource.v1.DeviceTaintRuleStatus
    d(1234, 1915, 3, L::Object, false), // io.k8s.api.resource.v1.DeviceTaintSelector
    d(1235, 1918, 5, L::Object, false), // io.k8s.api.resource.v1.DeviceToleration
    d(1237, 1923, 8, L::Object, false), // io.k8s.api.resource.v1.ExactDeviceRequest
    d(1238, 1931, 3, L::Object, false), // io.k8s.api.resource.v1.NetworkDeviceData
    d(1242, 1934, 3, L::Object, false), // io.k8s.api.resource.v1.NodeAllocatableMapping
    d(1246, 1937, 2, L::Object, false), // io.k8s.api.resource.v1.NodeAllocatableOverhead
    d(1247, 1939, 2, L::Object, false), // io.k8s.api.resource.v1.NodeAllocatableResource
    d(1248, 1941, 2, L::Object, false), // io.k8s.api.resource.v1.OpaqueDeviceConfiguration
    d(1249, 1943, 5, L::Object, false), // io.k8s.api.resource.v1.ResourceClaim
    d(1250, 1948, 4, L::Object, false), // io.k8s.api.resource.v1.ResourceClaimConsumerReference
    d(1251, 1952, 1, L::Object, false), // io.k8s.api.resource.v1.ResourceClaimSpec
    d(1252, 1953, 3, L::Object, false), // io.k8s.api.resource.v1.ResourceClaimStatus
    d(1255, 1956, 4, L::Object, false), // io.k8s.api.resource.v1.ResourceClaimTemplate
    d(1256, 1960, 2, L::Object, false), // io.k8s.api.resource.v1.ResourceClaimTemplateSpec
    d(1257, 1962, 3, L::Object, false), // io.k8s.api.resource.v1.ResourcePool
    d(1260, 1965, 4, L::Object, false), // io.k8s.api.resource.v1.ResourceSlice
    d(1261, 1969, 10, L::Object, false), // io.k8s.api.resource.v1.ResourceSliceSpec
    d(1265, 1979, 7, L::Object, false), // io.k8s.api.scheduling.v1.PriorityClass
    d(1268, 1986, 1, L::Object, false), // io.k8s.api.scheduling.v1alpha3.TopologyConstraint
    d(1269, 1987, 0, L::Object, false), // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupAllDisruptionMode
    d(1270, 1987, 0, L::Object, false), // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupBasicSchedulingPolicy
    d(1271, 1987, 2, L::Object, false), // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupDisruptionMode
    d(1274, 1989, 1, L::Object, false), // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupGangSchedulingPolicy
    d(1276, 1990, 3, L::Object, false), // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupResourceClaim
    d(1277, 1993, 1, L::Object, false), // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingConstraints
    d(1279, 1994, 2, L::Object, false), // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy
    d(1282, 1996, 0, L::Object, false), // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSingleDisruptionMode
    d(1283, 1996, 4, L::Object, false), // io.k8s.api.storage.v1.CSIDriver
    d(1284, 2000, 11, L::Object, false), // io.k8s.api.storage.v1.CSIDriverSpec
    d(1296, 2011, 5, L::Object, false), // io.k8s.api.storage.v1.CSINode
    d(1297, 2016, 4, L::Object, false), // io.k8s.api.storage.v1.CSINodeDriver
    d(1300, 2020, 1, L::Object, false), // io.k8s.api.storage.v1.CSINodeSpec
    d(1302, 2021, 1, L::Object, false), // io.k8s.api.storage.v1.CSINodeStatus
    d(1304, 2022, 7, L::Object, false), // io.k8s.api.storage.v1.CSIStorageCapacity
    d(1307, 2029, 10, L::Object, false), // io.k8s.api.storage.v1.StorageClass
    d(1313, 2039, 2, L::Object, false), // io.k8s.api.storage.v1.StorageHealth
    d(1314, 2041, 6, L::Object, false), // io.k8s.api.storage.v1.StorageHealthCondition
    d(1316, 2047, 2, L::Object, false), // io.k8s.api.storage.v1.TokenRequest
    d(1317, 2049, 5, L::Object, false), // io.k8s.api.storage.v1.VolumeAttachment
    d(1318, 2054, 2, L::Object, false), // io.k8s.api.storage.v1.VolumeAttachmentSource
    d(1321, 2056, 3, L::Object, false), // io.k8s.api.storage.v1.VolumeAttachmentSpec
    d(1323, 2059, 4, L::Object, false), // io.k8s.api.storage.v1.VolumeAttachmentStatus
    d(1328, 2063, 5, L::Object, false), // io.k8s.api.storage.v1.VolumeAttributesClass
    d(1330, 2068, 3, L::Object, false), // io.k8s.api.storage.v1.VolumeError
    d(1333, 2071, 1, L::Object, false), // io.k8s.api.storage.v1.VolumeNodeResources
    d(1334, 2072, 5, L::Object, false), // io.k8s.api.storagemigration.v1.StorageVersionMigration
    d(1335, 2077, 1, L::Object, false), // io.k8s.api.storagemigration.v1.StorageVersionMigrationSpec
    d(1336, 2078, 2, L::Object, false), // io.k8s.api.storagemigration.v1.StorageVersionMigrationStatus
    d(1337, 2080, 6, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceColumnDefinition
    d(1340, 2086, 2, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceConversion
    d(1342, 2088, 5, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition
    d(1343, 2093, 6, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionCondition
    d(1344, 2099, 6, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionNames
    d(1350, 2105, 6, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec
    d(1353, 2111, 4, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus
    d(1356, 2115, 9, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion
    d(1365, 2124, 3, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceScale
    d(1369, 2127, 0, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus
    d(1370, 2127, 2, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresources
    d(1372, 2129, 1, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceValidation
    d(1374, 2130, 2, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ExternalDocumentation
    d(1375, 2132, 0, L::Any, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON
    d(1376, 2132, 44, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps
    d(1415, 2176, 0, L::SchemaOrArray, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray
    d(1416, 2176, 0, L::SchemaOrBool, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool
    d(1417, 2176, 0, L::SchemaOrStrings, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray
    d(1418, 2176, 1, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.SelectableField
    d(1419, 2177, 4, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference
    d(1420, 2181, 6, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule
    d(1423, 2187, 3, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookClientConfig
    d(1424, 2190, 2, L::Object, false), // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookConversion
    d(1426, 2192, 0, L::Quantity, false), // io.k8s.apimachinery.pkg.api.resource.Quantity
    d(1427, 2192, 6, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup
    d(1430, 2198, 3, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList
    d(1431, 2201, 10, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.APIResource
    d(1435, 2211, 4, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList
    d(1437, 2215, 4, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.APIVersions
    d(1438, 2219, 6, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.Condition
    d(1439, 2225, 8, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions
    d(1446, 2233, 3, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement
    d(1447, 2236, 0, L::Any, false), // io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1
    d(1448, 2236, 2, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.GroupResource
    d(1449, 2238, 2, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionForDiscovery
    d(1450, 2240, 2, L::Object, true), // io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector
    d(1452, 2242, 3, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement
    d(1453, 2245, 5, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta
    d(1458, 2250, 7, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry
    d(1463, 2257, 0, L::MicroTime, false), // io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime
    d(1464, 2257, 15, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta
    d(1473, 2272, 6, L::Object, true), // io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference
    d(1475, 2278, 2, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions
    d(1476, 2280, 2, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.ServerAddressByClientCIDR
    d(1479, 2282, 1, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo
    d(1480, 2283, 8, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.Status
    d(1483, 2291, 3, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause
    d(1485, 2294, 6, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails
    d(1488, 2300, 0, L::Time, false), // io.k8s.apimachinery.pkg.apis.meta.v1.Time
    d(1489, 2300, 2, L::Object, false), // io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent
    d(1490, 2302, 0, L::Any, false), // io.k8s.apimachinery.pkg.runtime.RawExtension
    d(1491, 2302, 0, L::IntOrString, false), // io.k8s.apimachinery.pkg.util.intstr.IntOrString
    d(1492, 2302, 13, L::Object, false), // io.k8s.apimachinery.pkg.version.Info
    d(1506, 2315, 5, L::Object, false), // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService
    d(1507, 2320, 5, L::Object, false), // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceCondition
    d(1508, 2325, 7, L::Object, false), // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceSpec
    d(1512, 2332, 1, L::Object, false), // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceStatus
    d(1513, 2333, 3, L::Object, false), // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference
];

pub(super) static FIELDS: [FieldRow; 2336] = [
    // io.k8s.api.admissionregistration.v1.ApplyConfiguration
    f(2, L::String, S::One, 0, false, false, 1, 0, 0, 0), // expression
    // io.k8s.api.admissionregistration.v1.AuditAnnotation
    f(4, L::String, S::One, 0, true, true, 1, 0, 0, 0), // key
    f(5, L::String, S::One, 0, true, true, 2, 0, 0, 0), // valueExpression
    // io.k8s.api.admissionregistration.v1.ExpressionWarning
    f(7, L::String, S::One, 0, true, true, 2, 0, 0, 0), // fieldRef
    f(8, L::String, S::One, 0, true, true, 3, 0, 0, 0), // warning
    // io.k8s.api.admissionregistration.v1.JSONPatch
    f(2, L::String, S::One, 0, false, false, 1, 0, 0, 0), // expression
    // io.k8s.api.admissionregistration.v1.MatchCondition
    f(2, L::String, S::One, 0, true, true, 2, 0, 0, 0), // expression
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.admissionregistration.v1.MatchResources
    f(13, L::Object, S::List, 13, false, false, 4, 0, 1, 0), // excludeResourceRules
    f(14, L::String, S::One, 0, false, true, 7, 0, 0, 0), // matchPolicy
    f(15, L::Object, S::One, 535, false, false, 1, 0, 0, 0), // namespaceSelector
    f(16, L::Object, S::One, 535, false, false, 2, 0, 0, 0), // objectSelector
    f(17, L::Object, S::List, 13, false, false, 3, 0, 1, 0), // resourceRules
    // io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicy
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 9, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 8, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBindingSpec
    f(25, L::Object, S::One, 5, false, false, 3, 0, 0, 0), // matchResources
    f(26, L::Object, S::One, 15, false, false, 2, 0, 0, 0), // paramRef
    f(27, L::String, S::One, 0, false, false, 1, 0, 0, 0), // policyName
    // io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicySpec
    f(29, L::String, S::One, 0, false, true, 5, 0, 0, 0), // failurePolicy
    f(30, L::Object, S::List, 4, false, false, 6, 0, 2, 0), // matchConditions
    f(31, L::Object, S::One, 5, false, false, 2, 0, 0, 0), // matchConstraints
    f(32, L::Object, S::List, 12, false, false, 4, 0, 1, 0), // mutations
    f(33, L::Object, S::One, 14, false, false, 1, 0, 0, 0), // paramKind
    f(34, L::String, S::One, 0, false, false, 7, 0, 0, 0), // reinvocationPolicy
    f(35, L::Object, S::List, 27, false, false, 3, 0, 1, 0), // variables
    // io.k8s.api.admissionregistration.v1.MutatingWebhook
    f(37, L::String, S::List, 0, true, true, 8, 0, 1, 0), // admissionReviewVersions
    f(38, L::Object, S::One, 28, true, true, 2, 0, 0, 0), // clientConfig
    f(29, L::String, S::One, 0, false, true, 4, 0, 0, 0), // failurePolicy
    f(30, L::Object, S::List, 4, false, false, 12, 0, 2, 0), // matchConditions
    f(14, L::String, S::One, 0, false, true, 9, 0, 0, 0), // matchPolicy
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(15, L::Object, S::One, 535, false, false, 5, 0, 0, 0), // namespaceSelector
    f(16, L::Object, S::One, 535, false, false, 11, 0, 0, 0), // objectSelector
    f(34, L::String, S::One, 0, false, true, 10, 0, 0, 0), // reinvocationPolicy
    f(39, L::Object, S::List, 16, false, false, 3, 0, 1, 0), // rules
    f(40, L::String, S::One, 0, true, true, 6, 0, 0, 0), // sideEffects
    f(41, L::Int32, S::One, 0, false, true, 7, 0, 0, 0), // timeoutSeconds
    // io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(43, L::Object, S::List, 10, false, false, 2, 0, 2, 0), // webhooks
    // io.k8s.api.admissionregistration.v1.Mutation
    f(45, L::Object, S::One, 0, false, false, 3, 0, 0, 0), // applyConfiguration
    f(46, L::Object, S::One, 3, false, false, 4, 0, 0, 0), // jsonPatch
    f(47, L::String, S::One, 0, true, true, 2, 0, 0, 0), // patchType
    // io.k8s.api.admissionregistration.v1.NamedRuleWithOperations
    f(49, L::String, S::List, 0, false, false, 1, 514, 1, 0), // apiGroups
    f(50, L::String, S::List, 0, false, false, 2, 514, 1, 0), // apiVersions
    f(51, L::String, S::List, 0, false, false, 1, 2, 1, 0), // operations
    f(52, L::String, S::List, 0, false, false, 1, 0, 1, 0), // resourceNames
    f(53, L::String, S::List, 0, false, false, 3, 514, 1, 0), // resources
    f(54, L::String, S::One, 0, false, true, 4, 514, 0, 0), // scope
    // io.k8s.api.admissionregistration.v1.ParamKind
    f(19, L::String, S::One, 0, false, false, 1, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 2, 0, 0, 0), // kind
    // io.k8s.api.admissionregistration.v1.ParamRef
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, false, 2, 0, 0, 0), // namespace
    f(58, L::String, S::One, 0, false, true, 4, 0, 0, 0), // parameterNotFoundAction
    f(59, L::Object, S::One, 535, false, false, 3, 0, 0, 0), // selector
    // io.k8s.api.admissionregistration.v1.RuleWithOperations
    f(49, L::String, S::List, 0, false, false, 1, 2, 1, 0), // apiGroups
    f(50, L::String, S::List, 0, false, false, 2, 2, 1, 0), // apiVersions
    f(51, L::String, S::List, 0, false, false, 1, 0, 1, 0), // operations
    f(53, L::String, S::List, 0, false, false, 3, 2, 1, 0), // resources
    f(54, L::String, S::One, 0, false, true, 4, 2, 0, 0), // scope
    // io.k8s.api.admissionregistration.v1.ServiceReference
    f(11, L::String, S::One, 0, true, true, 2, 0, 0, 0), // name
    f(57, L::String, S::One, 0, true, true, 1, 0, 0, 0), // namespace
    f(62, L::String, S::One, 0, false, true, 3, 0, 0, 0), // path
    f(63, L::Int32, S::One, 0, false, true, 4, 0, 0, 0), // port
    // io.k8s.api.admissionregistration.v1.TypeChecking
    f(65, L::Object, S::List, 2, false, false, 1, 0, 1, 0), // expressionWarnings
    // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicy
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 22, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 23, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBinding
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 21, true, true, 2, 0, 0, 0), // spec
    // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingSpec
    f(25, L::Object, S::One, 5, false, false, 3, 0, 0, 0), // matchResources
    f(26, L::Object, S::One, 15, false, false, 2, 0, 0, 0), // paramRef
    f(27, L::String, S::One, 0, true, true, 1, 0, 0, 0), // policyName
    f(70, L::String, S::List, 0, true, true, 4, 0, 3, 0), // validationActions
    // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicySpec
    f(72, L::Object, S::List, 1, false, false, 5, 0, 1, 0), // auditAnnotations
    f(29, L::String, S::One, 0, false, true, 4, 0, 0, 0), // failurePolicy
    f(30, L::Object, S::List, 4, false, false, 6, 0, 2, 0), // matchConditions
    f(31, L::Object, S::One, 5, false, false, 2, 0, 0, 0), // matchConstraints
    f(33, L::Object, S::One, 14, false, false, 1, 0, 0, 0), // paramKind
    f(73, L::Object, S::List, 26, false, false, 3, 0, 1, 0), // validations
    f(35, L::Object, S::List, 27, false, false, 7, 0, 2, 0), // variables
    // io.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyStatus
    f(75, L::Object, S::List, 529, false, false, 3, 0, 4, 0), // conditions
    f(76, L::Int64, S::One, 0, false, false, 1, 0, 0, 0), // observedGeneration
    f(77, L::Object, S::One, 18, false, false, 2, 0, 0, 0), // typeChecking
    // io.k8s.api.admissionregistration.v1.ValidatingWebhook
    f(37, L::String, S::List, 0, true, true, 8, 0, 1, 0), // admissionReviewVersions
    f(38, L::Object, S::One, 28, true, true, 2, 0, 0, 0), // clientConfig
    f(29, L::String, S::One, 0, false, true, 4, 0, 0, 0), // failurePolicy
    f(30, L::Object, S::List, 4, false, false, 11, 0, 2, 0), // matchConditions
    f(14, L::String, S::One, 0, false, true, 9, 0, 0, 0), // matchPolicy
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(15, L::Object, S::One, 535, false, false, 5, 0, 0, 0), // namespaceSelector
    f(16, L::Object, S::One, 535, false, false, 10, 0, 0, 0), // objectSelector
    f(39, L::Object, S::List, 16, false, false, 3, 0, 1, 0), // rules
    f(40, L::String, S::One, 0, true, true, 6, 0, 0, 0), // sideEffects
    f(41, L::Int32, S::One, 0, false, true, 7, 0, 0, 0), // timeoutSeconds
    // io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(43, L::Object, S::List, 24, false, false, 2, 0, 2, 0), // webhooks
    // io.k8s.api.admissionregistration.v1.Validation
    f(2, L::String, S::One, 0, true, true, 1, 0, 0, 0), // expression
    f(81, L::String, S::One, 0, false, false, 2, 0, 0, 0), // message
    f(82, L::String, S::One, 0, false, false, 4, 0, 0, 0), // messageExpression
    f(83, L::String, S::One, 0, false, true, 3, 0, 0, 0), // reason
    // io.k8s.api.admissionregistration.v1.Variable
    f(2, L::String, S::One, 0, true, true, 2, 0, 0, 0), // expression
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.admissionregistration.v1.WebhookClientConfig
    f(86, L::Bytes, S::One, 0, false, false, 2, 0, 0, 0), // caBundle
    f(87, L::Object, S::One, 17, false, false, 1, 0, 0, 0), // service
    f(88, L::String, S::One, 0, false, true, 3, 0, 0, 0), // url
    // io.k8s.api.apps.v1.ControllerRevision
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(90, L::Any, S::One, 0, true, true, 2, 0, 0, 0), // data
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(91, L::Int64, S::One, 0, false, true, 3, 0, 0, 0), // revision
    // io.k8s.api.apps.v1.DaemonSet
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 32, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 33, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.apps.v1.DaemonSetCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, false, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, false, true, 1, 0, 0, 0), // type
    // io.k8s.api.apps.v1.DaemonSetSpec
    f(97, L::Int32, S::One, 0, false, false, 4, 0, 0, 0), // minReadySeconds
    f(98, L::Int32, S::One, 0, false, true, 6, 0, 0, 0), // revisionHistoryLimit
    f(59, L::Object, S::One, 535, true, true, 1, 0, 0, 0), // selector
    f(99, L::Object, S::One, 282, true, true, 2, 0, 0, 0), // template
    f(100, L::Object, S::One, 34, false, false, 3, 0, 0, 0), // updateStrategy
    // io.k8s.api.apps.v1.DaemonSetStatus
    f(102, L::Int32, S::One, 0, false, true, 9, 0, 0, 0), // collisionCount
    f(75, L::Object, S::List, 31, false, false, 10, 0, 5, 0), // conditions
    f(103, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // currentNumberScheduled
    f(104, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // desiredNumberScheduled
    f(105, L::Int32, S::One, 0, false, false, 7, 0, 0, 0), // numberAvailable
    f(106, L::Int32, S::One, 0, true, true, 2, 0, 0, 0), // numberMisscheduled
    f(107, L::Int32, S::One, 0, true, true, 4, 0, 0, 0), // numberReady
    f(108, L::Int32, S::One, 0, false, false, 8, 0, 0, 0), // numberUnavailable
    f(76, L::Int64, S::One, 0, false, false, 5, 0, 0, 0), // observedGeneration
    f(109, L::Int32, S::One, 0, false, false, 6, 0, 0, 0), // updatedNumberScheduled
    // io.k8s.api.apps.v1.DaemonSetUpdateStrategy
    f(111, L::Object, S::One, 44, false, false, 2, 0, 0, 0), // rollingUpdate
    f(95, L::String, S::One, 0, false, false, 1, 0, 0, 0), // type
    // io.k8s.api.apps.v1.Deployment
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 37, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 38, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.apps.v1.DeploymentCondition
    f(94, L::Time, S::One, 0, false, false, 7, 0, 0, 0), // lastTransitionTime
    f(114, L::Time, S::One, 0, false, false, 6, 0, 0, 0), // lastUpdateTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, false, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, false, true, 1, 0, 0, 0), // type
    // io.k8s.api.apps.v1.DeploymentSpec
    f(97, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // minReadySeconds
    f(116, L::Boolean, S::One, 0, false, false, 7, 0, 0, 0), // paused
    f(117, L::Int32, S::One, 0, false, true, 9, 0, 0, 0), // progressDeadlineSeconds
    f(118, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // replicas
    f(98, L::Int32, S::One, 0, false, true, 6, 0, 0, 0), // revisionHistoryLimit
    f(59, L::Object, S::One, 535, true, true, 2, 0, 0, 0), // selector
    f(119, L::Object, S::One, 39, false, false, 4, 0, 6, 0), // strategy
    f(99, L::Object, S::One, 282, true, true, 3, 0, 0, 0), // template
    // io.k8s.api.apps.v1.DeploymentStatus
    f(121, L::Int32, S::One, 0, false, false, 4, 0, 0, 0), // availableReplicas
    f(102, L::Int32, S::One, 0, false, true, 8, 0, 0, 0), // collisionCount
    f(75, L::Object, S::List, 36, false, false, 6, 0, 5, 0), // conditions
    f(76, L::Int64, S::One, 0, false, false, 1, 0, 0, 0), // observedGeneration
    f(122, L::Int32, S::One, 0, false, false, 7, 0, 0, 0), // readyReplicas
    f(118, L::Int32, S::One, 0, false, false, 2, 0, 0, 0), // replicas
    f(123, L::Int32, S::One, 0, false, true, 9, 0, 0, 0), // terminatingReplicas
    f(124, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // unavailableReplicas
    f(125, L::Int32, S::One, 0, false, false, 3, 0, 0, 0), // updatedReplicas
    // io.k8s.api.apps.v1.DeploymentStrategy
    f(111, L::Object, S::One, 45, false, false, 2, 0, 0, 0), // rollingUpdate
    f(95, L::String, S::One, 0, false, false, 1, 0, 0, 0), // type
    // io.k8s.api.apps.v1.ReplicaSet
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 42, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 43, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.apps.v1.ReplicaSetCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, false, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, false, true, 1, 0, 0, 0), // type
    // io.k8s.api.apps.v1.ReplicaSetSpec
    f(97, L::Int32, S::One, 0, false, false, 4, 0, 0, 0), // minReadySeconds
    f(118, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // replicas
    f(59, L::Object, S::One, 535, true, true, 2, 0, 0, 0), // selector
    f(99, L::Object, S::One, 282, false, false, 3, 0, 0, 0), // template
    // io.k8s.api.apps.v1.ReplicaSetStatus
    f(121, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // availableReplicas
    f(75, L::Object, S::List, 41, false, false, 6, 0, 5, 0), // conditions
    f(131, L::Int32, S::One, 0, false, false, 2, 0, 0, 0), // fullyLabeledReplicas
    f(76, L::Int64, S::One, 0, false, false, 3, 0, 0, 0), // observedGeneration
    f(122, L::Int32, S::One, 0, false, false, 4, 0, 0, 0), // readyReplicas
    f(118, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // replicas
    f(123, L::Int32, S::One, 0, false, true, 7, 0, 0, 0), // terminatingReplicas
    // io.k8s.api.apps.v1.RollingUpdateDaemonSet
    f(133, L::IntOrString, S::One, 0, false, false, 2, 0, 0, 0), // maxSurge
    f(134, L::IntOrString, S::One, 0, false, false, 1, 0, 0, 0), // maxUnavailable
    // io.k8s.api.apps.v1.RollingUpdateDeployment
    f(133, L::IntOrString, S::One, 0, false, false, 2, 0, 0, 0), // maxSurge
    f(134, L::IntOrString, S::One, 0, false, false, 1, 0, 0, 0), // maxUnavailable
    // io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategy
    f(134, L::IntOrString, S::One, 0, false, false, 2, 0, 0, 0), // maxUnavailable
    f(137, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // partition
    // io.k8s.api.apps.v1.StatefulSet
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 51, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 52, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.apps.v1.StatefulSetCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, false, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, false, true, 1, 0, 0, 0), // type
    // io.k8s.api.apps.v1.StatefulSetOrdinals
    f(141, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // start
    // io.k8s.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy
    f(143, L::String, S::One, 0, false, false, 1, 0, 0, 0), // whenDeleted
    f(144, L::String, S::One, 0, false, false, 2, 0, 0, 0), // whenScaled
    // io.k8s.api.apps.v1.StatefulSetSpec
    f(97, L::Int32, S::One, 0, false, false, 9, 0, 0, 0), // minReadySeconds
    f(146, L::Object, S::One, 49, false, false, 11, 0, 0, 0), // ordinals
    f(147, L::Object, S::One, 50, false, false, 10, 0, 0, 0), // persistentVolumeClaimRetentionPolicy
    f(148, L::String, S::One, 0, false, false, 6, 0, 0, 0), // podManagementPolicy
    f(118, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // replicas
    f(98, L::Int32, S::One, 0, false, true, 8, 0, 0, 0), // revisionHistoryLimit
    f(59, L::Object, S::One, 535, true, true, 2, 0, 0, 0), // selector
    f(149, L::String, S::One, 0, false, true, 5, 0, 0, 0), // serviceName
    f(99, L::Object, S::One, 282, true, true, 3, 0, 0, 0), // template
    f(100, L::Object, S::One, 53, false, false, 7, 0, 0, 0), // updateStrategy
    f(150, L::Object, S::List, 253, false, false, 4, 0, 1, 0), // volumeClaimTemplates
    // io.k8s.api.apps.v1.StatefulSetStatus
    f(121, L::Int32, S::One, 0, false, true, 11, 0, 0, 0), // availableReplicas
    f(102, L::Int32, S::One, 0, false, true, 9, 0, 0, 0), // collisionCount
    f(75, L::Object, S::List, 48, false, false, 10, 0, 5, 0), // conditions
    f(152, L::Int32, S::One, 0, false, false, 4, 0, 0, 0), // currentReplicas
    f(153, L::String, S::One, 0, false, false, 6, 0, 0, 0), // currentRevision
    f(76, L::Int64, S::One, 0, false, false, 1, 0, 0, 0), // observedGeneration
    f(122, L::Int32, S::One, 0, false, false, 3, 0, 0, 0), // readyReplicas
    f(118, L::Int32, S::One, 0, true, true, 2, 0, 0, 0), // replicas
    f(154, L::String, S::One, 0, false, false, 7, 0, 0, 0), // updateRevision
    f(125, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // updatedReplicas
    // io.k8s.api.apps.v1.StatefulSetUpdateStrategy
    f(111, L::Object, S::One, 46, false, false, 2, 0, 0, 0), // rollingUpdate
    f(95, L::String, S::One, 0, false, false, 1, 0, 0, 0), // type
    // io.k8s.api.authentication.v1.BoundObjectReference
    f(19, L::String, S::One, 0, false, false, 2, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 1, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, false, false, 3, 0, 0, 0), // name
    f(157, L::String, S::One, 0, false, false, 4, 0, 0, 0), // uid
    // io.k8s.api.authentication.v1.SelfSubjectReview
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(67, L::Object, S::One, 56, false, false, 2, 0, 0, 0), // status
    // io.k8s.api.authentication.v1.SelfSubjectReviewStatus
    f(160, L::Object, S::One, 63, false, false, 1, 0, 0, 0), // userInfo
    // io.k8s.api.authentication.v1.TokenRequest
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 58, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 59, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.authentication.v1.TokenRequestSpec
    f(163, L::String, S::MapOfLists, 0, false, false, 0, 0, 0, 0), // attestations
    f(164, L::String, S::List, 0, false, false, 1, 0, 1, 0), // audiences
    f(165, L::Object, S::One, 54, false, false, 3, 0, 0, 0), // boundObjectRef
    f(166, L::Int64, S::One, 0, false, true, 4, 0, 0, 0), // expirationSeconds
    // io.k8s.api.authentication.v1.TokenRequestStatus
    f(168, L::Time, S::One, 0, false, false, 2, 0, 0, 0), // expirationTimestamp
    f(169, L::String, S::One, 0, false, true, 1, 0, 0, 0), // token
    // io.k8s.api.authentication.v1.TokenReview
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 61, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 62, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.authentication.v1.TokenReviewSpec
    f(164, L::String, S::List, 0, false, false, 2, 0, 1, 0), // audiences
    f(169, L::String, S::One, 0, false, false, 1, 0, 0, 0), // token
    // io.k8s.api.authentication.v1.TokenReviewStatus
    f(164, L::String, S::List, 0, false, false, 4, 0, 1, 0), // audiences
    f(173, L::Boolean, S::One, 0, false, false, 1, 0, 0, 0), // authenticated
    f(174, L::String, S::One, 0, false, false, 3, 0, 0, 0), // error
    f(175, L::Object, S::One, 63, false, false, 2, 0, 0, 0), // user
    // io.k8s.api.authentication.v1.UserInfo
    f(177, L::String, S::MapOfLists, 0, false, false, 4, 0, 0, 0), // extra
    f(178, L::String, S::List, 0, false, false, 3, 0, 1, 0), // groups
    f(157, L::String, S::One, 0, false, false, 2, 0, 0, 0), // uid
    f(179, L::String, S::One, 0, false, false, 1, 0, 0, 0), // username
    // io.k8s.api.authorization.v1.FieldSelectorAttributes
    f(181, L::String, S::One, 0, false, false, 1, 0, 0, 0), // rawSelector
    f(182, L::Object, S::List, 531, false, false, 2, 0, 1, 0), // requirements
    // io.k8s.api.authorization.v1.LabelSelectorAttributes
    f(181, L::String, S::One, 0, false, false, 1, 0, 0, 0), // rawSelector
    f(182, L::Object, S::List, 536, false, false, 2, 0, 1, 0), // requirements
    // io.k8s.api.authorization.v1.LocalSubjectAccessReview
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 76, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 77, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.authorization.v1.NonResourceAttributes
    f(62, L::String, S::One, 0, false, false, 1, 0, 0, 0), // path
    f(186, L::String, S::One, 0, false, false, 2, 0, 0, 0), // verb
    // io.k8s.api.authorization.v1.NonResourceRule
    f(188, L::String, S::List, 0, false, false, 2, 0, 1, 0), // nonResourceURLs
    f(189, L::String, S::List, 0, true, true, 1, 0, 1, 0), // verbs
    // io.k8s.api.authorization.v1.ResourceAttributes
    f(191, L::Object, S::One, 64, false, false, 8, 0, 0, 0), // fieldSelector
    f(192, L::String, S::One, 0, false, false, 3, 0, 0, 0), // group
    f(193, L::Object, S::One, 65, false, false, 9, 0, 0, 0), // labelSelector
    f(11, L::String, S::One, 0, false, false, 7, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, false, 1, 0, 0, 0), // namespace
    f(194, L::String, S::One, 0, false, false, 5, 0, 0, 0), // resource
    f(195, L::String, S::One, 0, false, false, 6, 0, 0, 0), // subresource
    f(186, L::String, S::One, 0, false, false, 2, 0, 0, 0), // verb
    f(196, L::String, S::One, 0, false, false, 4, 0, 0, 0), // version
    // io.k8s.api.authorization.v1.ResourceRule
    f(49, L::String, S::List, 0, false, false, 2, 0, 1, 0), // apiGroups
    f(52, L::String, S::List, 0, false, false, 4, 0, 1, 0), // resourceNames
    f(53, L::String, S::List, 0, false, false, 3, 0, 1, 0), // resources
    f(189, L::String, S::List, 0, true, true, 1, 0, 1, 0), // verbs
    // io.k8s.api.authorization.v1.SelfSubjectAccessReview
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 72, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 77, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.authorization.v1.SelfSubjectAccessReviewSpec
    f(200, L::Object, S::One, 67, false, false, 2, 0, 0, 0), // nonResourceAttributes
    f(201, L::Object, S::One, 69, false, false, 1, 0, 0, 0), // resourceAttributes
    // io.k8s.api.authorization.v1.SelfSubjectRulesReview
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 74, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 78, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.authorization.v1.SelfSubjectRulesReviewSpec
    f(57, L::String, S::One, 0, false, false, 1, 0, 0, 0), // namespace
    // io.k8s.api.authorization.v1.SubjectAccessReview
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 76, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 77, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.authorization.v1.SubjectAccessReviewSpec
    f(177, L::String, S::MapOfLists, 0, false, false, 5, 0, 0, 0), // extra
    f(178, L::String, S::List, 0, false, false, 4, 0, 1, 0), // groups
    f(200, L::Object, S::One, 67, false, false, 2, 0, 0, 0), // nonResourceAttributes
    f(201, L::Object, S::One, 69, false, false, 1, 0, 0, 0), // resourceAttributes
    f(157, L::String, S::One, 0, false, false, 6, 0, 0, 0), // uid
    f(175, L::String, S::One, 0, false, false, 3, 0, 0, 0), // user
    // io.k8s.api.authorization.v1.SubjectAccessReviewStatus
    f(207, L::Boolean, S::One, 0, true, true, 1, 0, 0, 0), // allowed
    f(208, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // denied
    f(209, L::String, S::One, 0, false, false, 3, 0, 0, 0), // evaluationError
    f(83, L::String, S::One, 0, false, false, 2, 0, 0, 0), // reason
    // io.k8s.api.authorization.v1.SubjectRulesReviewStatus
    f(209, L::String, S::One, 0, false, false, 4, 0, 0, 0), // evaluationError
    f(211, L::Boolean, S::One, 0, true, true, 3, 0, 0, 0), // incomplete
    f(212, L::Object, S::List, 68, true, true, 2, 0, 1, 0), // nonResourceRules
    f(17, L::Object, S::List, 70, true, true, 1, 0, 1, 0), // resourceRules
    // io.k8s.api.autoscaling.v1.CrossVersionObjectReference
    f(19, L::String, S::One, 0, false, false, 3, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, true, true, 1, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 2, 0, 0, 0), // name
    // io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 81, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 82, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec
    f(216, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // maxReplicas
    f(217, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // minReplicas
    f(218, L::Object, S::One, 79, true, true, 1, 0, 0, 0), // scaleTargetRef
    f(219, L::Int32, S::One, 0, false, true, 4, 0, 0, 0), // targetCPUUtilizationPercentage
    // io.k8s.api.autoscaling.v1.HorizontalPodAutoscalerStatus
    f(221, L::Int32, S::One, 0, false, true, 5, 0, 0, 0), // currentCPUUtilizationPercentage
    f(152, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // currentReplicas
    f(222, L::Int32, S::One, 0, true, true, 4, 0, 0, 0), // desiredReplicas
    f(223, L::Time, S::One, 0, false, false, 2, 0, 0, 0), // lastScaleTime
    f(76, L::Int64, S::One, 0, false, true, 1, 0, 0, 0), // observedGeneration
    // io.k8s.api.autoscaling.v1.Scale
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 84, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 85, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.autoscaling.v1.ScaleSpec
    f(118, L::Int32, S::One, 0, false, false, 1, 0, 0, 226), // replicas
    // io.k8s.api.autoscaling.v1.ScaleStatus
    f(118, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // replicas
    f(59, L::String, S::One, 0, false, false, 2, 0, 0, 0), // selector
    // io.k8s.api.autoscaling.v2.ContainerResourceMetricSource
    f(229, L::String, S::One, 0, true, true, 3, 0, 0, 0), // container
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(230, L::Object, S::One, 101, true, true, 2, 0, 0, 0), // target
    // io.k8s.api.autoscaling.v2.ContainerResourceMetricStatus
    f(229, L::String, S::One, 0, true, true, 3, 0, 0, 0), // container
    f(232, L::Object, S::One, 102, true, true, 2, 0, 0, 0), // current
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.autoscaling.v2.CrossVersionObjectReference
    f(19, L::String, S::One, 0, false, false, 3, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, true, true, 1, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 2, 0, 0, 0), // name
    // io.k8s.api.autoscaling.v2.ExternalMetricSource
    f(235, L::Object, S::One, 98, true, true, 1, 0, 0, 0), // metric
    f(230, L::Object, S::One, 101, true, true, 2, 0, 0, 0), // target
    // io.k8s.api.autoscaling.v2.ExternalMetricStatus
    f(232, L::Object, S::One, 102, true, true, 2, 0, 0, 0), // current
    f(235, L::Object, S::One, 98, true, true, 1, 0, 0, 0), // metric
    // io.k8s.api.autoscaling.v2.HPAScalingPolicy
    f(238, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // periodSeconds
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    f(239, L::Int32, S::One, 0, true, true, 2, 0, 0, 0), // value
    // io.k8s.api.autoscaling.v2.HPAScalingRules
    f(241, L::Object, S::List, 91, false, false, 2, 0, 1, 0), // policies
    f(242, L::String, S::One, 0, false, true, 1, 0, 0, 0), // selectPolicy
    f(243, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // stabilizationWindowSeconds
    f(244, L::Quantity, S::One, 0, false, false, 4, 0, 0, 0), // tolerance
    // io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 96, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 97, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehavior
    f(247, L::Object, S::One, 92, false, false, 2, 0, 0, 0), // scaleDown
    f(248, L::Object, S::One, 92, false, false, 1, 0, 0, 0), // scaleUp
    // io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(76, L::Int64, S::One, 0, false, false, 6, 0, 0, 0), // observedGeneration
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpec
    f(251, L::Object, S::One, 94, false, false, 5, 0, 0, 0), // behavior
    f(216, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // maxReplicas
    f(252, L::Object, S::List, 99, false, false, 4, 0, 1, 0), // metrics
    f(217, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // minReplicas
    f(218, L::Object, S::One, 88, true, true, 1, 0, 0, 0), // scaleTargetRef
    // io.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatus
    f(75, L::Object, S::List, 95, false, false, 6, 0, 5, 0), // conditions
    f(254, L::Object, S::List, 100, false, false, 5, 0, 1, 0), // currentMetrics
    f(152, L::Int32, S::One, 0, false, false, 3, 0, 0, 0), // currentReplicas
    f(222, L::Int32, S::One, 0, true, true, 4, 0, 0, 0), // desiredReplicas
    f(223, L::Time, S::One, 0, false, false, 2, 0, 0, 0), // lastScaleTime
    f(76, L::Int64, S::One, 0, false, true, 1, 0, 0, 0), // observedGeneration
    // io.k8s.api.autoscaling.v2.MetricIdentifier
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(59, L::Object, S::One, 535, false, false, 2, 0, 0, 0), // selector
    // io.k8s.api.autoscaling.v2.MetricSpec
    f(257, L::Object, S::One, 86, false, false, 7, 0, 0, 0), // containerResource
    f(258, L::Object, S::One, 89, false, false, 5, 0, 0, 0), // external
    f(259, L::Object, S::One, 103, false, false, 2, 0, 0, 0), // object
    f(260, L::Object, S::One, 105, false, false, 3, 0, 0, 0), // pods
    f(194, L::Object, S::One, 107, false, false, 4, 0, 0, 0), // resource
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.autoscaling.v2.MetricStatus
    f(257, L::Object, S::One, 87, false, false, 7, 0, 0, 0), // containerResource
    f(258, L::Object, S::One, 90, false, false, 5, 0, 0, 0), // external
    f(259, L::Object, S::One, 104, false, false, 2, 0, 0, 0), // object
    f(260, L::Object, S::One, 106, false, false, 3, 0, 0, 0), // pods
    f(194, L::Object, S::One, 108, false, false, 4, 0, 0, 0), // resource
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.autoscaling.v2.MetricTarget
    f(263, L::Int32, S::One, 0, false, true, 4, 0, 0, 0), // averageUtilization
    f(264, L::Quantity, S::One, 0, false, false, 3, 0, 0, 0), // averageValue
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    f(239, L::Quantity, S::One, 0, false, false, 2, 0, 0, 0), // value
    // io.k8s.api.autoscaling.v2.MetricValueStatus
    f(263, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // averageUtilization
    f(264, L::Quantity, S::One, 0, false, false, 2, 0, 0, 0), // averageValue
    f(239, L::Quantity, S::One, 0, false, false, 1, 0, 0, 0), // value
    // io.k8s.api.autoscaling.v2.ObjectMetricSource
    f(267, L::Object, S::One, 88, true, true, 1, 0, 0, 0), // describedObject
    f(235, L::Object, S::One, 98, true, true, 3, 0, 0, 0), // metric
    f(230, L::Object, S::One, 101, true, true, 2, 0, 0, 0), // target
    // io.k8s.api.autoscaling.v2.ObjectMetricStatus
    f(232, L::Object, S::One, 102, true, true, 2, 0, 0, 0), // current
    f(267, L::Object, S::One, 88, true, true, 3, 0, 0, 0), // describedObject
    f(235, L::Object, S::One, 98, true, true, 1, 0, 0, 0), // metric
    // io.k8s.api.autoscaling.v2.PodsMetricSource
    f(235, L::Object, S::One, 98, true, true, 1, 0, 0, 0), // metric
    f(230, L::Object, S::One, 101, true, true, 2, 0, 0, 0), // target
    // io.k8s.api.autoscaling.v2.PodsMetricStatus
    f(232, L::Object, S::One, 102, true, true, 2, 0, 0, 0), // current
    f(235, L::Object, S::One, 98, true, true, 1, 0, 0, 0), // metric
    // io.k8s.api.autoscaling.v2.ResourceMetricSource
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(230, L::Object, S::One, 101, true, true, 2, 0, 0, 0), // target
    // io.k8s.api.autoscaling.v2.ResourceMetricStatus
    f(232, L::Object, S::One, 102, true, true, 2, 0, 0, 0), // current
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.batch.v1.CronJob
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 110, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 111, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.batch.v1.CronJobSpec
    f(275, L::String, S::One, 0, false, false, 3, 0, 0, 0), // concurrencyPolicy
    f(276, L::Int32, S::One, 0, false, true, 7, 0, 0, 0), // failedJobsHistoryLimit
    f(277, L::Object, S::One, 117, true, true, 5, 0, 0, 0), // jobTemplate
    f(278, L::String, S::One, 0, true, true, 1, 0, 0, 0), // schedule
    f(279, L::Int64, S::One, 0, false, true, 2, 0, 0, 0), // startingDeadlineSeconds
    f(280, L::Int32, S::One, 0, false, true, 6, 0, 0, 0), // successfulJobsHistoryLimit
    f(281, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // suspend
    f(282, L::String, S::One, 0, false, true, 8, 0, 0, 0), // timeZone
    // io.k8s.api.batch.v1.CronJobStatus
    f(284, L::Object, S::List, 251, false, false, 1, 0, 1, 0), // active
    f(285, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // lastScheduleTime
    f(286, L::Time, S::One, 0, false, false, 5, 0, 0, 0), // lastSuccessfulTime
    // io.k8s.api.batch.v1.Job
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 115, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 116, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.batch.v1.JobCondition
    f(289, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastProbeTime
    f(94, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 6, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 5, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.batch.v1.JobSchedulingConfiguration
    f(291, L::Object, S::One, 473, false, false, 0, 0, 0, 0), // disruptionMode
    f(292, L::Object, S::List, 475, false, false, 0, 0, 0, 0), // resourceClaims
    f(293, L::Object, S::One, 476, false, false, 0, 0, 0, 0), // schedulingConstraints
    f(294, L::Object, S::One, 477, false, false, 0, 0, 0, 0), // schedulingPolicy
    // io.k8s.api.batch.v1.JobSpec
    f(296, L::Int64, S::One, 0, false, true, 3, 0, 0, 0), // activeDeadlineSeconds
    f(297, L::Int32, S::One, 0, false, true, 7, 0, 0, 0), // backoffLimit
    f(298, L::Int32, S::One, 0, false, true, 12, 0, 0, 0), // backoffLimitPerIndex
    f(299, L::String, S::One, 0, false, true, 9, 0, 0, 0), // completionMode
    f(300, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // completions
    f(301, L::String, S::One, 0, false, true, 15, 0, 0, 0), // managedBy
    f(302, L::Boolean, S::One, 0, false, true, 5, 0, 0, 0), // manualSelector
    f(303, L::Int32, S::One, 0, false, true, 13, 0, 0, 0), // maxFailedIndexes
    f(304, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // parallelism
    f(305, L::Object, S::One, 118, false, false, 11, 0, 0, 0), // podFailurePolicy
    f(306, L::String, S::One, 0, false, true, 14, 0, 0, 0), // podReplacementPolicy
    f(307, L::Object, S::One, 114, false, false, 0, 0, 0, 0), // scheduling
    f(59, L::Object, S::One, 535, false, false, 4, 0, 0, 0), // selector
    f(308, L::Object, S::One, 122, false, false, 16, 0, 0, 0), // successPolicy
    f(281, L::Boolean, S::One, 0, false, true, 10, 0, 0, 0), // suspend
    f(99, L::Object, S::One, 282, true, true, 6, 0, 0, 0), // template
    f(309, L::Int32, S::One, 0, false, true, 8, 0, 0, 0), // ttlSecondsAfterFinished
    // io.k8s.api.batch.v1.JobStatus
    f(284, L::Int32, S::One, 0, false, false, 4, 0, 0, 0), // active
    f(311, L::String, S::One, 0, false, false, 7, 0, 0, 0), // completedIndexes
    f(312, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // completionTime
    f(75, L::Object, S::List, 113, false, false, 1, 0, 7, 0), // conditions
    f(313, L::Int32, S::One, 0, false, false, 6, 0, 0, 0), // failed
    f(314, L::String, S::One, 0, false, true, 10, 0, 0, 0), // failedIndexes
    f(315, L::Int32, S::One, 0, false, true, 9, 0, 0, 0), // ready
    f(316, L::Time, S::One, 0, false, false, 2, 0, 0, 0), // startTime
    f(317, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // succeeded
    f(318, L::Int32, S::One, 0, false, true, 11, 0, 0, 0), // terminating
    f(319, L::Object, S::One, 124, false, false, 8, 0, 0, 0), // uncountedTerminatedPods
    // io.k8s.api.batch.v1.JobTemplateSpec
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 115, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.batch.v1.PodFailurePolicy
    f(39, L::Object, S::List, 121, true, true, 1, 0, 1, 0), // rules
    // io.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirement
    f(323, L::String, S::One, 0, false, true, 1, 0, 0, 0), // containerName
    f(324, L::String, S::One, 0, true, true, 2, 0, 0, 0), // operator
    f(325, L::Int32, S::List, 0, true, true, 3, 0, 3, 0), // values
    // io.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPattern
    f(67, L::String, S::One, 0, false, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.batch.v1.PodFailurePolicyRule
    f(328, L::String, S::One, 0, true, true, 1, 0, 0, 0), // action
    f(329, L::Object, S::One, 119, false, false, 2, 0, 0, 0), // onExitCodes
    f(330, L::Object, S::List, 120, false, false, 3, 0, 1, 0), // onPodConditions
    // io.k8s.api.batch.v1.SuccessPolicy
    f(39, L::Object, S::List, 123, true, true, 1, 0, 1, 0), // rules
    // io.k8s.api.batch.v1.SuccessPolicyRule
    f(333, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // succeededCount
    f(334, L::String, S::One, 0, false, true, 1, 0, 0, 0), // succeededIndexes
    // io.k8s.api.batch.v1.UncountedTerminatedPods
    f(313, L::String, S::List, 0, false, false, 2, 0, 3, 0), // failed
    f(317, L::String, S::List, 0, false, false, 1, 0, 3, 0), // succeeded
    // io.k8s.api.certificates.v1.CertificateSigningRequest
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 127, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 128, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.certificates.v1.CertificateSigningRequestCondition
    f(94, L::Time, S::One, 0, false, false, 5, 0, 0, 0), // lastTransitionTime
    f(114, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // lastUpdateTime
    f(81, L::String, S::One, 0, false, false, 3, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 2, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 6, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.certificates.v1.CertificateSigningRequestSpec
    f(166, L::Int32, S::One, 0, false, true, 8, 0, 0, 0), // expirationSeconds
    f(177, L::String, S::MapOfLists, 0, false, false, 6, 0, 0, 0), // extra
    f(178, L::String, S::List, 0, false, false, 4, 0, 1, 0), // groups
    f(339, L::Bytes, S::One, 0, true, true, 1, 0, 0, 0), // request
    f(340, L::String, S::One, 0, true, true, 7, 0, 0, 0), // signerName
    f(157, L::String, S::One, 0, false, false, 3, 0, 0, 0), // uid
    f(341, L::String, S::List, 0, false, false, 5, 0, 1, 0), // usages
    f(179, L::String, S::One, 0, false, false, 2, 0, 0, 0), // username
    // io.k8s.api.certificates.v1.CertificateSigningRequestStatus
    f(343, L::Bytes, S::One, 0, false, false, 2, 0, 0, 0), // certificate
    f(75, L::Object, S::List, 126, false, false, 1, 0, 4, 0), // conditions
    // io.k8s.api.certificates.v1.ClusterTrustBundle
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 130, true, true, 2, 0, 0, 0), // spec
    // io.k8s.api.certificates.v1.ClusterTrustBundleSpec
    f(340, L::String, S::One, 0, false, false, 1, 0, 0, 0), // signerName
    f(346, L::String, S::One, 0, true, true, 2, 0, 0, 0), // trustBundle
    // io.k8s.api.certificates.v1.PodCertificateRequest
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 132, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 133, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.certificates.v1.PodCertificateRequestSpec
    f(349, L::Int32, S::One, 0, false, true, 8, 0, 0, 350), // maxExpirationSeconds
    f(351, L::String, S::One, 0, true, true, 6, 0, 0, 0), // nodeName
    f(352, L::String, S::One, 0, true, true, 7, 0, 0, 0), // nodeUID
    f(353, L::String, S::One, 0, true, true, 2, 0, 0, 0), // podName
    f(354, L::String, S::One, 0, true, true, 3, 0, 0, 0), // podUID
    f(355, L::String, S::One, 0, true, true, 4, 0, 0, 0), // serviceAccountName
    f(356, L::String, S::One, 0, true, true, 5, 0, 0, 0), // serviceAccountUID
    f(340, L::String, S::One, 0, true, true, 1, 0, 0, 0), // signerName
    f(357, L::Bytes, S::One, 0, true, true, 12, 0, 0, 0), // stubPKCS10Request
    f(358, L::String, S::Map, 0, false, false, 11, 0, 0, 0), // unverifiedUserAnnotations
    // io.k8s.api.certificates.v1.PodCertificateRequestStatus
    f(360, L::Time, S::One, 0, false, false, 5, 0, 0, 0), // beginRefreshAt
    f(361, L::String, S::One, 0, false, false, 2, 0, 0, 0), // certificateChain
    f(75, L::Object, S::List, 529, false, false, 1, 0, 5, 0), // conditions
    f(362, L::Time, S::One, 0, false, false, 6, 0, 0, 0), // notAfter
    f(363, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // notBefore
    // io.k8s.api.coordination.v1.Lease
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 135, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.coordination.v1.LeaseSpec
    f(366, L::MicroTime, S::One, 0, false, false, 3, 0, 0, 0), // acquireTime
    f(367, L::String, S::One, 0, false, true, 1, 0, 0, 0), // holderIdentity
    f(368, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // leaseDurationSeconds
    f(369, L::Int32, S::One, 0, false, true, 5, 0, 0, 0), // leaseTransitions
    f(370, L::String, S::One, 0, false, true, 7, 0, 0, 0), // preferredHolder
    f(371, L::MicroTime, S::One, 0, false, false, 4, 0, 0, 0), // renewTime
    f(119, L::String, S::One, 0, false, true, 6, 0, 0, 0), // strategy
    // io.k8s.api.core.v1.AWSElasticBlockStoreVolumeSource
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(137, L::Int32, S::One, 0, false, false, 3, 0, 0, 0), // partition
    f(374, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // readOnly
    f(375, L::String, S::One, 0, true, true, 1, 0, 0, 0), // volumeID
    // io.k8s.api.core.v1.Affinity
    f(377, L::Object, S::One, 231, false, false, 1, 0, 0, 0), // nodeAffinity
    f(378, L::Object, S::One, 263, false, false, 2, 0, 0, 0), // podAffinity
    f(379, L::Object, S::One, 265, false, false, 3, 0, 0, 0), // podAntiAffinity
    // io.k8s.api.core.v1.AppArmorProfile
    f(381, L::String, S::One, 0, false, true, 2, 0, 0, 0), // localhostProfile
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.AttachedVolume
    f(383, L::String, S::One, 0, true, true, 2, 0, 0, 0), // devicePath
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.core.v1.AzureDiskVolumeSource
    f(385, L::String, S::One, 0, false, true, 3, 0, 0, 386), // cachingMode
    f(387, L::String, S::One, 0, true, true, 1, 0, 0, 0), // diskName
    f(388, L::String, S::One, 0, true, true, 2, 0, 0, 0), // diskURI
    f(373, L::String, S::One, 0, false, true, 4, 0, 0, 389), // fsType
    f(20, L::String, S::One, 0, false, true, 6, 0, 0, 390), // kind
    f(374, L::Boolean, S::One, 0, false, true, 5, 0, 0, 391), // readOnly
    // io.k8s.api.core.v1.AzureFilePersistentVolumeSource
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(393, L::String, S::One, 0, true, true, 1, 0, 0, 0), // secretName
    f(394, L::String, S::One, 0, false, true, 4, 0, 0, 0), // secretNamespace
    f(395, L::String, S::One, 0, true, true, 2, 0, 0, 0), // shareName
    // io.k8s.api.core.v1.AzureFileVolumeSource
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(393, L::String, S::One, 0, true, true, 1, 0, 0, 0), // secretName
    f(395, L::String, S::One, 0, true, true, 2, 0, 0, 0), // shareName
    // io.k8s.api.core.v1.Binding
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(230, L::Object, S::One, 251, true, true, 2, 0, 0, 0), // target
    // io.k8s.api.core.v1.CSIPersistentVolumeSource
    f(399, L::Object, S::One, 314, false, false, 9, 0, 0, 0), // controllerExpandSecretRef
    f(400, L::Object, S::One, 314, false, false, 6, 0, 0, 0), // controllerPublishSecretRef
    f(401, L::String, S::One, 0, true, true, 1, 0, 0, 0), // driver
    f(373, L::String, S::One, 0, false, false, 4, 0, 0, 0), // fsType
    f(402, L::Object, S::One, 314, false, false, 10, 0, 0, 0), // nodeExpandSecretRef
    f(403, L::Object, S::One, 314, false, false, 8, 0, 0, 0), // nodePublishSecretRef
    f(404, L::Object, S::One, 314, false, false, 7, 0, 0, 0), // nodeStageSecretRef
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(405, L::String, S::Map, 0, false, false, 5, 0, 0, 0), // volumeAttributes
    f(406, L::String, S::One, 0, true, true, 2, 0, 0, 0), // volumeHandle
    // io.k8s.api.core.v1.CSIVolumeSource
    f(401, L::String, S::One, 0, true, true, 1, 0, 0, 0), // driver
    f(373, L::String, S::One, 0, false, true, 3, 0, 0, 0), // fsType
    f(403, L::Object, S::One, 221, false, false, 5, 0, 0, 0), // nodePublishSecretRef
    f(374, L::Boolean, S::One, 0, false, true, 2, 0, 0, 0), // readOnly
    f(405, L::String, S::Map, 0, false, false, 4, 0, 0, 0), // volumeAttributes
    // io.k8s.api.core.v1.Capabilities
    f(409, L::String, S::List, 0, false, false, 1, 0, 1, 0), // add
    f(410, L::String, S::List, 0, false, false, 2, 0, 1, 0), // drop
    // io.k8s.api.core.v1.CephFSPersistentVolumeSource
    f(412, L::String, S::List, 0, true, true, 1, 0, 1, 0), // monitors
    f(62, L::String, S::One, 0, false, false, 2, 0, 0, 0), // path
    f(374, L::Boolean, S::One, 0, false, false, 6, 0, 0, 0), // readOnly
    f(413, L::String, S::One, 0, false, false, 4, 0, 0, 0), // secretFile
    f(414, L::Object, S::One, 314, false, false, 5, 0, 0, 0), // secretRef
    f(175, L::String, S::One, 0, false, false, 3, 0, 0, 0), // user
    // io.k8s.api.core.v1.CephFSVolumeSource
    f(412, L::String, S::List, 0, true, true, 1, 0, 1, 0), // monitors
    f(62, L::String, S::One, 0, false, false, 2, 0, 0, 0), // path
    f(374, L::Boolean, S::One, 0, false, false, 6, 0, 0, 0), // readOnly
    f(413, L::String, S::One, 0, false, false, 4, 0, 0, 0), // secretFile
    f(414, L::Object, S::One, 221, false, false, 5, 0, 0, 0), // secretRef
    f(175, L::String, S::One, 0, false, false, 3, 0, 0, 0), // user
    // io.k8s.api.core.v1.CinderPersistentVolumeSource
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 314, false, false, 4, 0, 0, 0), // secretRef
    f(375, L::String, S::One, 0, true, true, 1, 0, 0, 0), // volumeID
    // io.k8s.api.core.v1.CinderVolumeSource
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 221, false, false, 4, 0, 0, 0), // secretRef
    f(375, L::String, S::One, 0, true, true, 1, 0, 0, 0), // volumeID
    // io.k8s.api.core.v1.ClientIPConfig
    f(41, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // timeoutSeconds
    // io.k8s.api.core.v1.ClusterTrustBundleProjection
    f(193, L::Object, S::One, 535, false, false, 3, 0, 0, 0), // labelSelector
    f(11, L::String, S::One, 0, false, true, 1, 0, 0, 0), // name
    f(420, L::Boolean, S::One, 0, false, true, 5, 0, 0, 0), // optional
    f(62, L::String, S::One, 0, true, true, 4, 0, 0, 0), // path
    f(340, L::String, S::One, 0, false, true, 2, 0, 0, 0), // signerName
    f(175, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // user
    // io.k8s.api.core.v1.ComponentCondition
    f(174, L::String, S::One, 0, false, false, 4, 0, 0, 0), // error
    f(81, L::String, S::One, 0, false, false, 3, 0, 0, 0), // message
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.ComponentStatus
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(75, L::Object, S::List, 153, false, false, 2, 0, 5, 0), // conditions
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    // io.k8s.api.core.v1.ConfigMap
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(424, L::Bytes, S::Map, 0, false, false, 3, 0, 0, 0), // binaryData
    f(90, L::String, S::Map, 0, false, false, 2, 0, 0, 0), // data
    f(425, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // immutable
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    // io.k8s.api.core.v1.ConfigMapEnvSource
    f(11, L::String, S::One, 0, false, false, 1, 1, 0, 427), // name
    f(420, L::Boolean, S::One, 0, false, true, 2, 0, 0, 0), // optional
    // io.k8s.api.core.v1.ConfigMapKeySelector
    f(4, L::String, S::One, 0, true, true, 2, 0, 0, 0), // key
    f(11, L::String, S::One, 0, false, false, 1, 1, 0, 427), // name
    f(420, L::Boolean, S::One, 0, false, true, 3, 0, 0, 0), // optional
    // io.k8s.api.core.v1.ConfigMapNodeConfigSource
    f(430, L::String, S::One, 0, true, true, 5, 0, 0, 0), // kubeletConfigKey
    f(11, L::String, S::One, 0, true, true, 2, 0, 0, 0), // name
    f(57, L::String, S::One, 0, true, true, 1, 0, 0, 0), // namespace
    f(431, L::String, S::One, 0, false, false, 4, 0, 0, 0), // resourceVersion
    f(157, L::String, S::One, 0, false, false, 3, 0, 0, 0), // uid
    // io.k8s.api.core.v1.ConfigMapProjection
    f(433, L::Object, S::List, 212, false, false, 2, 0, 1, 0), // items
    f(11, L::String, S::One, 0, false, false, 1, 1, 0, 427), // name
    f(420, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // optional
    // io.k8s.api.core.v1.ConfigMapVolumeSource
    f(435, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // defaultMode
    f(436, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // defaultUser
    f(433, L::Object, S::List, 212, false, false, 2, 0, 1, 0), // items
    f(11, L::String, S::One, 0, false, false, 1, 1, 0, 427), // name
    f(420, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // optional
    // io.k8s.api.core.v1.Container
    f(438, L::String, S::List, 0, false, false, 4, 0, 1, 0), // args
    f(439, L::String, S::List, 0, false, false, 3, 0, 1, 0), // command
    f(440, L::Object, S::List, 184, false, false, 7, 0, 2, 0), // env
    f(441, L::Object, S::List, 183, false, false, 19, 0, 1, 0), // envFrom
    f(442, L::String, S::One, 0, false, false, 2, 0, 0, 0), // image
    f(443, L::String, S::One, 0, false, false, 14, 0, 0, 0), // imagePullPolicy
    f(444, L::Object, S::One, 213, false, false, 12, 0, 0, 0), // lifecycle
    f(445, L::Object, S::One, 287, false, false, 10, 0, 0, 0), // livenessProbe
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(446, L::Object, S::List, 164, false, false, 6, 0, 8, 0), // ports
    f(447, L::Object, S::One, 287, false, false, 11, 0, 0, 0), // readinessProbe
    f(448, L::Object, S::List, 165, false, false, 23, 0, 1, 0), // resizePolicy
    f(53, L::Object, S::One, 302, false, false, 8, 0, 0, 0), // resources
    f(449, L::String, S::One, 0, false, true, 24, 0, 0, 0), // restartPolicy
    f(450, L::Object, S::List, 166, false, false, 25, 0, 1, 0), // restartPolicyRules
    f(451, L::Object, S::One, 316, false, false, 15, 0, 0, 0), // securityContext
    f(452, L::Object, S::One, 287, false, false, 22, 0, 0, 0), // startupProbe
    f(453, L::Boolean, S::One, 0, false, false, 16, 0, 0, 0), // stdin
    f(454, L::Boolean, S::One, 0, false, false, 17, 0, 0, 0), // stdinOnce
    f(455, L::String, S::One, 0, false, false, 13, 0, 0, 0), // terminationMessagePath
    f(456, L::String, S::One, 0, false, false, 20, 0, 0, 0), // terminationMessagePolicy
    f(457, L::Boolean, S::One, 0, false, false, 18, 0, 0, 0), // tty
    f(458, L::Object, S::List, 337, false, false, 21, 0, 9, 0), // volumeDevices
    f(459, L::Object, S::List, 340, false, false, 9, 0, 10, 0), // volumeMounts
    f(460, L::String, S::One, 0, false, false, 5, 0, 0, 0), // workingDir
    // io.k8s.api.core.v1.ContainerExtendedResourceRequest
    f(323, L::String, S::One, 0, true, true, 1, 0, 0, 0), // containerName
    f(462, L::String, S::One, 0, true, true, 3, 0, 0, 0), // requestName
    f(463, L::String, S::One, 0, true, true, 2, 0, 0, 0), // resourceName
    // io.k8s.api.core.v1.ContainerImage
    f(465, L::String, S::List, 0, false, false, 1, 0, 1, 0), // names
    f(466, L::Int64, S::One, 0, false, false, 2, 0, 0, 0), // sizeBytes
    // io.k8s.api.core.v1.ContainerPort
    f(468, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // containerPort
    f(469, L::String, S::One, 0, false, false, 5, 0, 0, 0), // hostIP
    f(470, L::Int32, S::One, 0, false, false, 2, 0, 0, 0), // hostPort
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(471, L::String, S::One, 0, false, false, 4, 0, 0, 472), // protocol
    // io.k8s.api.core.v1.ContainerResizePolicy
    f(463, L::String, S::One, 0, true, true, 1, 0, 0, 0), // resourceName
    f(449, L::String, S::One, 0, true, true, 2, 0, 0, 0), // restartPolicy
    // io.k8s.api.core.v1.ContainerRestartRule
    f(328, L::String, S::One, 0, true, true, 1, 0, 0, 0), // action
    f(475, L::Object, S::One, 167, false, false, 2, 0, 0, 0), // exitCodes
    // io.k8s.api.core.v1.ContainerRestartRuleOnExitCodes
    f(324, L::String, S::One, 0, true, true, 1, 0, 0, 0), // operator
    f(325, L::Int32, S::List, 0, false, true, 2, 0, 3, 0), // values
    // io.k8s.api.core.v1.ContainerState
    f(478, L::Object, S::One, 169, false, false, 2, 0, 0, 0), // running
    f(479, L::Object, S::One, 170, false, false, 3, 0, 0, 0), // terminated
    f(480, L::Object, S::One, 171, false, false, 1, 0, 0, 0), // waiting
    // io.k8s.api.core.v1.ContainerStateRunning
    f(482, L::Time, S::One, 0, false, false, 1, 0, 0, 0), // startedAt
    // io.k8s.api.core.v1.ContainerStateTerminated
    f(484, L::String, S::One, 0, false, false, 7, 0, 0, 0), // containerID
    f(485, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // exitCode
    f(486, L::Time, S::One, 0, false, false, 6, 0, 0, 0), // finishedAt
    f(81, L::String, S::One, 0, false, false, 4, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 3, 0, 0, 0), // reason
    f(487, L::Int32, S::One, 0, false, false, 2, 0, 0, 0), // signal
    f(482, L::Time, S::One, 0, false, false, 5, 0, 0, 0), // startedAt
    // io.k8s.api.core.v1.ContainerStateWaiting
    f(81, L::String, S::One, 0, false, false, 2, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 1, 0, 0, 0), // reason
    // io.k8s.api.core.v1.ContainerStatus
    f(490, L::Quantity, S::Map, 0, false, false, 10, 0, 0, 0), // allocatedResources
    f(491, L::Object, S::List, 303, false, false, 14, 0, 2, 0), // allocatedResourcesStatus
    f(484, L::String, S::One, 0, false, false, 8, 0, 0, 0), // containerID
    f(442, L::String, S::One, 0, true, true, 6, 0, 0, 0), // image
    f(492, L::String, S::One, 0, true, true, 7, 0, 0, 0), // imageID
    f(493, L::Object, S::One, 168, false, false, 3, 0, 0, 0), // lastState
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(315, L::Boolean, S::One, 0, true, true, 4, 0, 0, 0), // ready
    f(53, L::Object, S::One, 302, false, false, 11, 0, 0, 0), // resources
    f(494, L::Int32, S::One, 0, true, true, 5, 0, 0, 0), // restartCount
    f(495, L::Boolean, S::One, 0, false, true, 9, 0, 0, 0), // started
    f(496, L::Object, S::One, 168, false, false, 2, 0, 0, 0), // state
    f(497, L::String, S::One, 0, false, true, 15, 0, 0, 0), // stopSignal
    f(175, L::Object, S::One, 173, false, false, 13, 0, 0, 0), // user
    f(459, L::Object, S::List, 341, false, false, 12, 0, 10, 0), // volumeMounts
    // io.k8s.api.core.v1.ContainerUser
    f(499, L::Object, S::One, 218, false, false, 1, 0, 0, 0), // linux
    // io.k8s.api.core.v1.DaemonEndpoint
    f(501, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // Port
    // io.k8s.api.core.v1.DownwardAPIProjection
    f(433, L::Object, S::List, 176, false, false, 1, 0, 1, 0), // items
    // io.k8s.api.core.v1.DownwardAPIVolumeFile
    f(7, L::Object, S::One, 250, false, false, 2, 0, 0, 0), // fieldRef
    f(504, L::Int32, S::One, 0, false, true, 4, 0, 0, 0), // mode
    f(62, L::String, S::One, 0, true, true, 1, 0, 0, 0), // path
    f(505, L::Object, S::One, 297, false, false, 3, 0, 0, 0), // resourceFieldRef
    f(175, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // user
    // io.k8s.api.core.v1.DownwardAPIVolumeSource
    f(435, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // defaultMode
    f(436, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // defaultUser
    f(433, L::Object, S::List, 176, false, false, 1, 0, 1, 0), // items
    // io.k8s.api.core.v1.EmptyDirVolumeSource
    f(508, L::String, S::One, 0, false, false, 1, 0, 0, 0), // medium
    f(504, L::Int32, S::One, 0, false, true, 0, 0, 0, 0), // mode
    f(509, L::Quantity, S::One, 0, false, false, 2, 0, 0, 0), // sizeLimit
    // io.k8s.api.core.v1.EndpointAddress
    f(511, L::String, S::One, 0, false, false, 3, 0, 0, 0), // hostname
    f(512, L::String, S::One, 0, true, true, 1, 0, 0, 0), // ip
    f(351, L::String, S::One, 0, false, true, 4, 0, 0, 0), // nodeName
    f(513, L::Object, S::One, 251, false, false, 2, 0, 0, 0), // targetRef
    // io.k8s.api.core.v1.EndpointPort
    f(515, L::String, S::One, 0, false, true, 4, 0, 0, 0), // appProtocol
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(63, L::Int32, S::One, 0, true, true, 2, 0, 0, 0), // port
    f(471, L::String, S::One, 0, false, false, 3, 0, 0, 0), // protocol
    // io.k8s.api.core.v1.EndpointSubset
    f(517, L::Object, S::List, 179, false, false, 1, 0, 1, 0), // addresses
    f(518, L::Object, S::List, 179, false, false, 2, 0, 1, 0), // notReadyAddresses
    f(446, L::Object, S::List, 180, false, false, 3, 0, 1, 0), // ports
    // io.k8s.api.core.v1.Endpoints
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(520, L::Object, S::List, 181, false, false, 2, 0, 1, 0), // subsets
    // io.k8s.api.core.v1.EnvFromSource
    f(522, L::Object, S::One, 156, false, false, 2, 0, 0, 0), // configMapRef
    f(523, L::String, S::One, 0, false, false, 1, 0, 0, 0), // prefix
    f(414, L::Object, S::One, 311, false, false, 3, 0, 0, 0), // secretRef
    // io.k8s.api.core.v1.EnvVar
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(239, L::String, S::One, 0, false, false, 2, 0, 0, 0), // value
    f(525, L::Object, S::One, 185, false, false, 3, 0, 0, 0), // valueFrom
    // io.k8s.api.core.v1.EnvVarSource
    f(527, L::Object, S::One, 157, false, false, 3, 0, 0, 0), // configMapKeyRef
    f(7, L::Object, S::One, 250, false, false, 1, 0, 0, 0), // fieldRef
    f(528, L::Object, S::One, 194, false, false, 5, 0, 0, 0), // fileKeyRef
    f(505, L::Object, S::One, 297, false, false, 2, 0, 0, 0), // resourceFieldRef
    f(529, L::Object, S::One, 312, false, false, 4, 0, 0, 0), // secretKeyRef
    // io.k8s.api.core.v1.EphemeralContainer
    f(438, L::String, S::List, 0, false, false, 4, 1, 1, 0), // args
    f(439, L::String, S::List, 0, false, false, 3, 1, 1, 0), // command
    f(440, L::Object, S::List, 184, false, false, 7, 1, 2, 0), // env
    f(441, L::Object, S::List, 183, false, false, 19, 1, 1, 0), // envFrom
    f(442, L::String, S::One, 0, false, false, 2, 1, 0, 0), // image
    f(443, L::String, S::One, 0, false, false, 14, 1, 0, 0), // imagePullPolicy
    f(444, L::Object, S::One, 213, false, false, 12, 1, 0, 0), // lifecycle
    f(445, L::Object, S::One, 287, false, false, 10, 1, 0, 0), // livenessProbe
    f(11, L::String, S::One, 0, true, true, 1, 1, 0, 0), // name
    f(446, L::Object, S::List, 164, false, false, 6, 1, 8, 0), // ports
    f(447, L::Object, S::One, 287, false, false, 11, 1, 0, 0), // readinessProbe
    f(448, L::Object, S::List, 165, false, false, 23, 1, 1, 0), // resizePolicy
    f(53, L::Object, S::One, 302, false, false, 8, 1, 0, 0), // resources
    f(449, L::String, S::One, 0, false, true, 24, 1, 0, 0), // restartPolicy
    f(450, L::Object, S::List, 166, false, false, 25, 1, 1, 0), // restartPolicyRules
    f(451, L::Object, S::One, 316, false, false, 15, 1, 0, 0), // securityContext
    f(452, L::Object, S::One, 287, false, false, 22, 1, 0, 0), // startupProbe
    f(453, L::Boolean, S::One, 0, false, false, 16, 1, 0, 0), // stdin
    f(454, L::Boolean, S::One, 0, false, false, 17, 1, 0, 0), // stdinOnce
    f(531, L::String, S::One, 0, false, false, 2, 0, 0, 0), // targetContainerName
    f(455, L::String, S::One, 0, false, false, 13, 1, 0, 0), // terminationMessagePath
    f(456, L::String, S::One, 0, false, false, 20, 1, 0, 0), // terminationMessagePolicy
    f(457, L::Boolean, S::One, 0, false, false, 18, 1, 0, 0), // tty
    f(458, L::Object, S::List, 337, false, false, 21, 1, 9, 0), // volumeDevices
    f(459, L::Object, S::List, 340, false, false, 9, 1, 10, 0), // volumeMounts
    f(460, L::String, S::One, 0, false, false, 5, 1, 0, 0), // workingDir
    // io.k8s.api.core.v1.EphemeralVolumeSource
    f(533, L::Object, S::One, 257, false, false, 1, 0, 0, 0), // volumeClaimTemplate
    // io.k8s.api.core.v1.Event
    f(328, L::String, S::One, 0, false, false, 12, 0, 0, 0), // action
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(535, L::Int32, S::One, 0, false, false, 8, 0, 0, 0), // count
    f(536, L::MicroTime, S::One, 0, false, false, 10, 0, 0, 0), // eventTime
    f(537, L::Time, S::One, 0, false, false, 6, 0, 0, 0), // firstTimestamp
    f(538, L::Object, S::One, 251, true, true, 2, 0, 0, 0), // involvedObject
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(539, L::Time, S::One, 0, false, false, 7, 0, 0, 0), // lastTimestamp
    f(81, L::String, S::One, 0, false, false, 4, 0, 0, 0), // message
    f(21, L::Object, S::One, 540, true, true, 1, 0, 0, 0), // metadata
    f(83, L::String, S::One, 0, false, false, 3, 0, 0, 0), // reason
    f(540, L::Object, S::One, 251, false, false, 13, 0, 0, 0), // related
    f(541, L::String, S::One, 0, false, true, 14, 0, 0, 0), // reportingComponent
    f(542, L::String, S::One, 0, false, true, 15, 0, 0, 0), // reportingInstance
    f(543, L::Object, S::One, 189, false, false, 11, 0, 0, 0), // series
    f(544, L::Object, S::One, 190, false, false, 5, 0, 0, 0), // source
    f(95, L::String, S::One, 0, false, false, 9, 0, 0, 0), // type
    // io.k8s.api.core.v1.EventSeries
    f(535, L::Int32, S::One, 0, false, false, 1, 0, 0, 0), // count
    f(546, L::MicroTime, S::One, 0, false, false, 2, 0, 0, 0), // lastObservedTime
    // io.k8s.api.core.v1.EventSource
    f(548, L::String, S::One, 0, false, false, 1, 0, 0, 0), // component
    f(549, L::String, S::One, 0, false, false, 2, 0, 0, 0), // host
    // io.k8s.api.core.v1.EvictionResponder
    f(11, L::String, S::One, 0, true, true, 0, 0, 0, 0), // name
    f(551, L::Int32, S::One, 0, true, true, 0, 0, 0, 0), // priority
    // io.k8s.api.core.v1.ExecAction
    f(439, L::String, S::List, 0, false, false, 1, 0, 1, 0), // command
    // io.k8s.api.core.v1.FCVolumeSource
    f(373, L::String, S::One, 0, false, false, 3, 0, 0, 0), // fsType
    f(554, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // lun
    f(374, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // readOnly
    f(555, L::String, S::List, 0, false, false, 1, 0, 1, 0), // targetWWNs
    f(556, L::String, S::List, 0, false, false, 5, 0, 1, 0), // wwids
    // io.k8s.api.core.v1.FileKeySelector
    f(4, L::String, S::One, 0, true, true, 3, 0, 0, 0), // key
    f(420, L::Boolean, S::One, 0, false, true, 4, 0, 0, 391), // optional
    f(62, L::String, S::One, 0, true, true, 2, 0, 0, 0), // path
    f(558, L::String, S::One, 0, true, true, 1, 0, 0, 0), // volumeName
    // io.k8s.api.core.v1.FlexPersistentVolumeSource
    f(401, L::String, S::One, 0, true, true, 1, 0, 0, 0), // driver
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(560, L::String, S::Map, 0, false, false, 5, 0, 0, 0), // options
    f(374, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 314, false, false, 3, 0, 0, 0), // secretRef
    // io.k8s.api.core.v1.FlexVolumeSource
    f(401, L::String, S::One, 0, true, true, 1, 0, 0, 0), // driver
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(560, L::String, S::Map, 0, false, false, 5, 0, 0, 0), // options
    f(374, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 221, false, false, 3, 0, 0, 0), // secretRef
    // io.k8s.api.core.v1.FlockerVolumeSource
    f(563, L::String, S::One, 0, false, false, 1, 0, 0, 0), // datasetName
    f(564, L::String, S::One, 0, false, false, 2, 0, 0, 0), // datasetUUID
    // io.k8s.api.core.v1.GCEPersistentDiskVolumeSource
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(137, L::Int32, S::One, 0, false, false, 3, 0, 0, 0), // partition
    f(566, L::String, S::One, 0, true, true, 1, 0, 0, 0), // pdName
    f(374, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // readOnly
    // io.k8s.api.core.v1.GRPCAction
    f(504, L::String, S::One, 0, false, true, 0, 0, 0, 0), // mode
    f(63, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // port
    f(87, L::String, S::One, 0, false, true, 2, 0, 0, 427), // service
    // io.k8s.api.core.v1.GitRepoVolumeSource
    f(569, L::String, S::One, 0, false, false, 3, 0, 0, 0), // directory
    f(570, L::String, S::One, 0, true, true, 1, 0, 0, 0), // repository
    f(91, L::String, S::One, 0, false, false, 2, 0, 0, 0), // revision
    // io.k8s.api.core.v1.GlusterfsPersistentVolumeSource
    f(572, L::String, S::One, 0, true, true, 1, 0, 0, 0), // endpoints
    f(573, L::String, S::One, 0, false, true, 4, 0, 0, 0), // endpointsNamespace
    f(62, L::String, S::One, 0, true, true, 2, 0, 0, 0), // path
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    // io.k8s.api.core.v1.GlusterfsVolumeSource
    f(572, L::String, S::One, 0, true, true, 1, 0, 0, 0), // endpoints
    f(62, L::String, S::One, 0, true, true, 2, 0, 0, 0), // path
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    // io.k8s.api.core.v1.HTTPGetAction
    f(549, L::String, S::One, 0, false, false, 3, 0, 0, 0), // host
    f(576, L::Object, S::List, 204, false, false, 5, 0, 1, 0), // httpHeaders
    f(62, L::String, S::One, 0, false, false, 1, 0, 0, 0), // path
    f(63, L::IntOrString, S::One, 0, true, true, 2, 0, 0, 0), // port
    f(471, L::String, S::One, 0, false, true, 0, 0, 0, 0), // protocol
    f(577, L::String, S::One, 0, false, false, 4, 0, 0, 0), // scheme
    // io.k8s.api.core.v1.HTTPHeader
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(239, L::String, S::One, 0, true, true, 2, 0, 0, 0), // value
    // io.k8s.api.core.v1.HostAlias
    f(580, L::String, S::List, 0, false, false, 2, 0, 1, 0), // hostnames
    f(512, L::String, S::One, 0, true, true, 1, 0, 0, 0), // ip
    // io.k8s.api.core.v1.HostIP
    f(512, L::String, S::One, 0, true, true, 1, 0, 0, 0), // ip
    // io.k8s.api.core.v1.HostPathVolumeSource
    f(62, L::String, S::One, 0, true, true, 1, 0, 0, 0), // path
    f(95, L::String, S::One, 0, false, true, 2, 0, 0, 0), // type
    // io.k8s.api.core.v1.ISCSIPersistentVolumeSource
    f(584, L::Boolean, S::One, 0, false, false, 8, 0, 0, 0), // chapAuthDiscovery
    f(585, L::Boolean, S::One, 0, false, false, 11, 0, 0, 0), // chapAuthSession
    f(373, L::String, S::One, 0, false, false, 5, 0, 0, 0), // fsType
    f(586, L::String, S::One, 0, false, true, 12, 0, 0, 0), // initiatorName
    f(587, L::String, S::One, 0, true, true, 2, 0, 0, 0), // iqn
    f(588, L::String, S::One, 0, false, false, 4, 0, 0, 589), // iscsiInterface
    f(554, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // lun
    f(590, L::String, S::List, 0, false, false, 7, 0, 1, 0), // portals
    f(374, L::Boolean, S::One, 0, false, false, 6, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 314, false, false, 10, 0, 0, 0), // secretRef
    f(591, L::String, S::One, 0, true, true, 1, 0, 0, 0), // targetPortal
    // io.k8s.api.core.v1.ISCSIVolumeSource
    f(584, L::Boolean, S::One, 0, false, false, 8, 0, 0, 0), // chapAuthDiscovery
    f(585, L::Boolean, S::One, 0, false, false, 11, 0, 0, 0), // chapAuthSession
    f(373, L::String, S::One, 0, false, false, 5, 0, 0, 0), // fsType
    f(586, L::String, S::One, 0, false, true, 12, 0, 0, 0), // initiatorName
    f(587, L::String, S::One, 0, true, true, 2, 0, 0, 0), // iqn
    f(588, L::String, S::One, 0, false, false, 4, 0, 0, 589), // iscsiInterface
    f(554, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // lun
    f(590, L::String, S::List, 0, false, false, 7, 0, 1, 0), // portals
    f(374, L::Boolean, S::One, 0, false, false, 6, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 221, false, false, 10, 0, 0, 0), // secretRef
    f(591, L::String, S::One, 0, true, true, 1, 0, 0, 0), // targetPortal
    // io.k8s.api.core.v1.ImageVolumeSource
    f(594, L::String, S::One, 0, false, false, 2, 0, 0, 0), // pullPolicy
    f(595, L::String, S::One, 0, false, false, 1, 0, 0, 0), // reference
    // io.k8s.api.core.v1.ImageVolumeStatus
    f(597, L::String, S::One, 0, true, true, 0, 0, 0, 0), // imageRef
    // io.k8s.api.core.v1.KeyToPath
    f(4, L::String, S::One, 0, true, true, 1, 0, 0, 0), // key
    f(504, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // mode
    f(62, L::String, S::One, 0, true, true, 2, 0, 0, 0), // path
    f(175, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // user
    // io.k8s.api.core.v1.Lifecycle
    f(600, L::Object, S::One, 214, false, false, 1, 0, 0, 0), // postStart
    f(601, L::Object, S::One, 214, false, false, 2, 0, 0, 0), // preStop
    f(497, L::String, S::One, 0, false, true, 3, 0, 0, 0), // stopSignal
    // io.k8s.api.core.v1.LifecycleHandler
    f(603, L::Object, S::One, 192, false, false, 1, 0, 0, 0), // exec
    f(604, L::Object, S::One, 203, false, false, 2, 0, 0, 0), // httpGet
    f(605, L::Object, S::One, 324, false, false, 4, 0, 0, 0), // sleep
    f(606, L::Object, S::One, 328, false, false, 3, 0, 0, 0), // tcpSocket
    // io.k8s.api.core.v1.LimitRange
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 217, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.core.v1.LimitRangeItem
    f(609, L::Quantity, S::Map, 0, false, false, 4, 0, 0, 0), // default
    f(610, L::Quantity, S::Map, 0, false, false, 5, 0, 0, 0), // defaultRequest
    f(611, L::Quantity, S::Map, 0, false, false, 2, 0, 0, 0), // max
    f(612, L::Quantity, S::Map, 0, false, false, 6, 0, 0, 0), // maxLimitRequestRatio
    f(613, L::Quantity, S::Map, 0, false, false, 3, 0, 0, 0), // min
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.LimitRangeSpec
    f(615, L::Object, S::List, 216, true, true, 1, 0, 1, 0), // limits
    // io.k8s.api.core.v1.LinuxContainerUser
    f(617, L::Int64, S::One, 0, true, true, 2, 0, 0, 0), // gid
    f(618, L::Int64, S::List, 0, false, true, 3, 0, 1, 0), // supplementalGroups
    f(157, L::Int64, S::One, 0, true, true, 1, 0, 0, 0), // uid
    // io.k8s.api.core.v1.LoadBalancerIngress
    f(511, L::String, S::One, 0, false, false, 2, 0, 0, 0), // hostname
    f(512, L::String, S::One, 0, false, false, 1, 0, 0, 0), // ip
    f(620, L::String, S::One, 0, false, true, 3, 0, 0, 0), // ipMode
    f(446, L::Object, S::List, 284, false, false, 4, 0, 1, 0), // ports
    // io.k8s.api.core.v1.LoadBalancerStatus
    f(622, L::Object, S::List, 219, false, false, 1, 0, 1, 0), // ingress
    // io.k8s.api.core.v1.LocalObjectReference
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 427), // name
    // io.k8s.api.core.v1.LocalVolumeSource
    f(373, L::String, S::One, 0, false, true, 2, 0, 0, 0), // fsType
    f(62, L::String, S::One, 0, true, true, 1, 0, 0, 0), // path
    // io.k8s.api.core.v1.ModifyVolumeStatus
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(626, L::String, S::One, 0, false, false, 1, 0, 0, 0), // targetVolumeAttributesClassName
    // io.k8s.api.core.v1.NFSVolumeSource
    f(62, L::String, S::One, 0, true, true, 2, 0, 0, 0), // path
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(628, L::String, S::One, 0, true, true, 1, 0, 0, 0), // server
    // io.k8s.api.core.v1.Namespace
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 227, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 228, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.core.v1.NamespaceCondition
    f(94, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 6, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 5, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.NamespaceSpec
    f(632, L::String, S::List, 0, false, false, 1, 0, 1, 0), // finalizers
    // io.k8s.api.core.v1.NamespaceStatus
    f(75, L::Object, S::List, 226, false, false, 2, 0, 5, 0), // conditions
    f(634, L::String, S::One, 0, false, false, 1, 0, 0, 0), // phase
    // io.k8s.api.core.v1.Node
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 246, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 247, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.core.v1.NodeAddress
    f(637, L::String, S::One, 0, true, true, 2, 0, 0, 0), // address
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.NodeAffinity
    f(639, L::Object, S::List, 286, false, false, 2, 0, 1, 0), // preferredDuringSchedulingIgnoredDuringExecution
    f(640, L::Object, S::One, 243, false, false, 1, 0, 0, 0), // requiredDuringSchedulingIgnoredDuringExecution
    // io.k8s.api.core.v1.NodeAllocatableMappedResources
    f(11, L::String, S::One, 0, true, true, 0, 0, 0, 0), // name
    f(642, L::Quantity, S::One, 0, true, true, 0, 0, 0, 0), // quantity
    // io.k8s.api.core.v1.NodeAllocatableOverheadResources
    f(11, L::String, S::One, 0, true, true, 0, 0, 0, 0), // name
    f(644, L::Quantity, S::One, 0, false, false, 0, 0, 0, 0), // perContainer
    f(645, L::Quantity, S::One, 0, false, false, 0, 0, 0, 0), // perPod
    // io.k8s.api.core.v1.NodeAllocatableResourceClaimStatus
    f(647, L::String, S::List, 0, false, false, 0, 0, 0, 0), // containers
    f(648, L::Object, S::List, 232, false, false, 0, 0, 0, 0), // mapping
    f(649, L::Object, S::List, 233, false, false, 0, 0, 0, 0), // overhead
    f(650, L::String, S::One, 0, true, true, 0, 0, 0, 0), // resourceClaimName
    // io.k8s.api.core.v1.NodeCondition
    f(652, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastHeartbeatTime
    f(94, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 6, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 5, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.NodeConfigSource
    f(654, L::Object, S::One, 158, false, false, 2, 0, 0, 0), // configMap
    // io.k8s.api.core.v1.NodeConfigStatus
    f(284, L::Object, S::One, 236, false, false, 2, 0, 0, 0), // active
    f(656, L::Object, S::One, 236, false, false, 1, 0, 0, 0), // assigned
    f(174, L::String, S::One, 0, false, false, 4, 0, 0, 0), // error
    f(657, L::Object, S::One, 236, false, false, 3, 0, 0, 0), // lastKnownGood
    // io.k8s.api.core.v1.NodeDaemonEndpoints
    f(659, L::Object, S::One, 174, false, false, 1, 0, 0, 0), // kubeletEndpoint
    // io.k8s.api.core.v1.NodeFeatures
    f(661, L::Boolean, S::One, 0, false, true, 1, 0, 0, 0), // supplementalGroupsPolicy
    // io.k8s.api.core.v1.NodePodPreemptionPolicy
    f(663, L::String, S::List, 0, false, false, 0, 0, 0, 0), // disableResizePreemption
    // io.k8s.api.core.v1.NodeRuntimeHandler
    f(665, L::Object, S::One, 242, false, false, 2, 0, 0, 0), // features
    f(11, L::String, S::One, 0, false, true, 1, 0, 0, 0), // name
    // io.k8s.api.core.v1.NodeRuntimeHandlerFeatures
    f(667, L::Boolean, S::One, 0, false, true, 1, 0, 0, 0), // recursiveReadOnlyMounts
    f(668, L::Boolean, S::One, 0, false, true, 2, 0, 0, 0), // userNamespaces
    // io.k8s.api.core.v1.NodeSelector
    f(670, L::Object, S::List, 245, true, true, 1, 0, 1, 0), // nodeSelectorTerms
    // io.k8s.api.core.v1.NodeSelectorRequirement
    f(4, L::String, S::One, 0, true, true, 1, 0, 0, 0), // key
    f(324, L::String, S::One, 0, true, true, 2, 0, 0, 0), // operator
    f(325, L::String, S::List, 0, false, false, 3, 0, 1, 0), // values
    // io.k8s.api.core.v1.NodeSelectorTerm
    f(673, L::Object, S::List, 244, false, false, 1, 0, 1, 0), // matchExpressions
    f(674, L::Object, S::List, 244, false, false, 2, 0, 1, 0), // matchFields
    // io.k8s.api.core.v1.NodeSpec
    f(676, L::Object, S::One, 236, false, false, 6, 0, 0, 0), // configSource
    f(677, L::String, S::One, 0, false, false, 2, 0, 0, 0), // externalID
    f(678, L::String, S::One, 0, false, false, 1, 0, 0, 0), // podCIDR
    f(679, L::String, S::List, 0, false, false, 7, 0, 11, 0), // podCIDRs
    f(680, L::Object, S::One, 240, false, false, 0, 0, 0, 0), // podPreemptionPolicy
    f(681, L::String, S::One, 0, false, false, 3, 0, 0, 0), // providerID
    f(682, L::Object, S::List, 329, false, false, 5, 0, 1, 0), // taints
    f(683, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // unschedulable
    // io.k8s.api.core.v1.NodeStatus
    f(517, L::Object, S::List, 230, false, false, 5, 0, 5, 0), // addresses
    f(685, L::Quantity, S::Map, 0, false, false, 2, 0, 0, 0), // allocatable
    f(686, L::Quantity, S::Map, 0, false, false, 1, 0, 0, 0), // capacity
    f(75, L::Object, S::List, 235, false, false, 4, 0, 5, 0), // conditions
    f(687, L::Object, S::One, 237, false, false, 11, 0, 0, 0), // config
    f(688, L::Object, S::One, 238, false, false, 6, 0, 0, 0), // daemonEndpoints
    f(689, L::String, S::List, 0, false, false, 14, 0, 1, 0), // declaredFeatures
    f(665, L::Object, S::One, 239, false, false, 13, 0, 0, 0), // features
    f(690, L::Object, S::List, 163, false, false, 8, 0, 1, 0), // images
    f(691, L::Object, S::One, 249, false, false, 7, 0, 0, 0), // nodeInfo
    f(634, L::String, S::One, 0, false, false, 3, 0, 0, 0), // phase
    f(692, L::Object, S::List, 241, false, false, 12, 0, 1, 0), // runtimeHandlers
    f(693, L::Object, S::List, 139, false, false, 10, 0, 1, 0), // volumesAttached
    f(694, L::String, S::List, 0, false, false, 9, 0, 1, 0), // volumesInUse
    // io.k8s.api.core.v1.NodeSwapStatus
    f(686, L::Int64, S::One, 0, false, true, 1, 0, 0, 0), // capacity
    // io.k8s.api.core.v1.NodeSystemInfo
    f(697, L::String, S::One, 0, true, true, 10, 0, 0, 0), // architecture
    f(698, L::String, S::One, 0, true, true, 3, 0, 0, 0), // bootID
    f(699, L::String, S::One, 0, true, true, 6, 0, 0, 0), // containerRuntimeVersion
    f(700, L::String, S::One, 0, true, true, 4, 0, 0, 0), // kernelVersion
    f(701, L::String, S::One, 0, true, true, 8, 0, 0, 0), // kubeProxyVersion
    f(702, L::String, S::One, 0, true, true, 7, 0, 0, 0), // kubeletVersion
    f(703, L::String, S::One, 0, true, true, 1, 0, 0, 0), // machineID
    f(704, L::String, S::One, 0, true, true, 9, 0, 0, 0), // operatingSystem
    f(705, L::String, S::One, 0, true, true, 5, 0, 0, 0), // osImage
    f(706, L::Boolean, S::One, 0, false, true, 0, 0, 0, 0), // runningInUserNamespace
    f(707, L::Object, S::One, 248, false, false, 11, 0, 0, 0), // swap
    f(708, L::String, S::One, 0, true, true, 2, 0, 0, 0), // systemUUID
    // io.k8s.api.core.v1.ObjectFieldSelector
    f(19, L::String, S::One, 0, false, false, 1, 0, 0, 0), // apiVersion
    f(710, L::String, S::One, 0, true, true, 2, 0, 0, 0), // fieldPath
    // io.k8s.api.core.v1.ObjectReference
    f(19, L::String, S::One, 0, false, false, 5, 0, 0, 0), // apiVersion
    f(710, L::String, S::One, 0, false, false, 7, 0, 0, 0), // fieldPath
    f(20, L::String, S::One, 0, false, false, 1, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, false, false, 3, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, false, 2, 0, 0, 0), // namespace
    f(431, L::String, S::One, 0, false, false, 6, 0, 0, 0), // resourceVersion
    f(157, L::String, S::One, 0, false, false, 4, 0, 0, 0), // uid
    // io.k8s.api.core.v1.PersistentVolume
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 259, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 260, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.core.v1.PersistentVolumeClaim
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 255, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 256, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.core.v1.PersistentVolumeClaimCondition
    f(289, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastProbeTime
    f(94, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 6, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 5, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.PersistentVolumeClaimSpec
    f(716, L::String, S::List, 0, false, false, 1, 0, 1, 0), // accessModes
    f(717, L::Object, S::One, 334, false, false, 7, 0, 0, 0), // dataSource
    f(718, L::Object, S::One, 335, false, false, 8, 0, 0, 0), // dataSourceRef
    f(53, L::Object, S::One, 344, false, false, 2, 0, 0, 0), // resources
    f(59, L::Object, S::One, 535, false, false, 4, 0, 0, 0), // selector
    f(719, L::String, S::One, 0, false, true, 5, 0, 0, 0), // storageClassName
    f(720, L::String, S::One, 0, false, true, 9, 0, 0, 0), // volumeAttributesClassName
    f(721, L::String, S::One, 0, false, true, 6, 0, 0, 0), // volumeMode
    f(558, L::String, S::One, 0, false, false, 3, 0, 0, 0), // volumeName
    // io.k8s.api.core.v1.PersistentVolumeClaimStatus
    f(716, L::String, S::List, 0, false, false, 2, 0, 1, 0), // accessModes
    f(723, L::String, S::Map, 0, false, false, 7, 0, 12, 0), // allocatedResourceStatuses
    f(490, L::Quantity, S::Map, 0, false, false, 5, 0, 0, 0), // allocatedResources
    f(686, L::Quantity, S::Map, 0, false, false, 3, 0, 0, 0), // capacity
    f(75, L::Object, S::List, 254, false, false, 4, 0, 5, 0), // conditions
    f(724, L::String, S::One, 0, false, true, 8, 0, 0, 0), // currentVolumeAttributesClassName
    f(725, L::Object, S::One, 339, false, false, 0, 0, 0, 0), // healthStatus
    f(726, L::Object, S::One, 223, false, false, 9, 0, 0, 0), // modifyVolumeStatus
    f(634, L::String, S::One, 0, false, false, 1, 0, 0, 0), // phase
    // io.k8s.api.core.v1.PersistentVolumeClaimTemplate
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 255, true, true, 2, 0, 0, 0), // spec
    // io.k8s.api.core.v1.PersistentVolumeClaimVolumeSource
    f(729, L::String, S::One, 0, true, true, 1, 0, 0, 0), // claimName
    f(374, L::Boolean, S::One, 0, false, false, 2, 0, 0, 0), // readOnly
    // io.k8s.api.core.v1.PersistentVolumeSpec
    f(716, L::String, S::List, 0, false, false, 3, 0, 1, 0), // accessModes
    f(731, L::Object, S::One, 136, false, false, 2, 2, 0, 0), // awsElasticBlockStore
    f(732, L::Object, S::One, 140, false, false, 16, 2, 0, 0), // azureDisk
    f(733, L::Object, S::One, 141, false, false, 13, 2, 0, 0), // azureFile
    f(686, L::Quantity, S::Map, 0, false, false, 1, 0, 0, 0), // capacity
    f(734, L::Object, S::One, 147, false, false, 9, 2, 0, 0), // cephfs
    f(735, L::Object, S::One, 149, false, false, 8, 2, 0, 0), // cinder
    f(736, L::Object, S::One, 251, false, false, 4, 0, 12, 0), // claimRef
    f(737, L::Object, S::One, 144, false, false, 22, 2, 0, 0), // csi
    f(738, L::Object, S::One, 193, false, false, 10, 2, 0, 0), // fc
    f(739, L::Object, S::One, 195, false, false, 12, 2, 0, 0), // flexVolume
    f(740, L::Object, S::One, 197, false, false, 11, 2, 0, 0), // flocker
    f(741, L::Object, S::One, 198, false, false, 1, 2, 0, 0), // gcePersistentDisk
    f(742, L::Object, S::One, 201, false, false, 4, 2, 0, 0), // glusterfs
    f(743, L::Object, S::One, 207, false, false, 3, 2, 0, 0), // hostPath
    f(744, L::Object, S::One, 208, false, false, 7, 2, 0, 0), // iscsi
    f(745, L::Object, S::One, 222, false, false, 20, 2, 0, 0), // local
    f(746, L::String, S::List, 0, false, false, 7, 0, 1, 0), // mountOptions
    f(747, L::Object, S::One, 224, false, false, 5, 2, 0, 0), // nfs
    f(377, L::Object, S::One, 342, false, false, 9, 0, 0, 0), // nodeAffinity
    f(748, L::String, S::One, 0, false, false, 5, 0, 0, 0), // persistentVolumeReclaimPolicy
    f(749, L::Object, S::One, 261, false, false, 17, 2, 0, 0), // photonPersistentDisk
    f(750, L::Object, S::One, 285, false, false, 18, 2, 0, 0), // portworxVolume
    f(751, L::Object, S::One, 289, false, false, 15, 2, 0, 0), // quobyte
    f(752, L::Object, S::One, 290, false, false, 6, 2, 0, 0), // rbd
    f(753, L::Object, S::One, 305, false, false, 19, 2, 0, 0), // scaleIO
    f(719, L::String, S::One, 0, false, false, 6, 0, 0, 0), // storageClassName
    f(754, L::Object, S::One, 325, false, false, 21, 2, 0, 0), // storageos
    f(720, L::String, S::One, 0, false, true, 10, 0, 0, 0), // volumeAttributesClassName
    f(721, L::String, S::One, 0, false, true, 8, 0, 0, 0), // volumeMode
    f(755, L::Object, S::One, 346, false, false, 14, 2, 0, 0), // vsphereVolume
    // io.k8s.api.core.v1.PersistentVolumeStatus
    f(757, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // lastPhaseTransitionTime
    f(81, L::String, S::One, 0, false, false, 2, 0, 0, 0), // message
    f(634, L::String, S::One, 0, false, false, 1, 0, 0, 0), // phase
    f(83, L::String, S::One, 0, false, false, 3, 0, 0, 0), // reason
    // io.k8s.api.core.v1.PhotonPersistentDiskVolumeSource
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(759, L::String, S::One, 0, true, true, 1, 0, 0, 0), // pdID
    // io.k8s.api.core.v1.Pod
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 279, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 280, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.core.v1.PodAffinity
    f(639, L::Object, S::List, 347, false, false, 2, 0, 1, 0), // preferredDuringSchedulingIgnoredDuringExecution
    f(640, L::Object, S::List, 264, false, false, 1, 0, 1, 0), // requiredDuringSchedulingIgnoredDuringExecution
    // io.k8s.api.core.v1.PodAffinityTerm
    f(193, L::Object, S::One, 535, false, false, 1, 0, 0, 0), // labelSelector
    f(763, L::String, S::List, 0, false, false, 5, 0, 1, 0), // matchLabelKeys
    f(764, L::String, S::List, 0, false, false, 6, 0, 1, 0), // mismatchLabelKeys
    f(15, L::Object, S::One, 535, false, false, 4, 0, 0, 0), // namespaceSelector
    f(765, L::String, S::List, 0, false, false, 2, 0, 1, 0), // namespaces
    f(766, L::String, S::One, 0, true, true, 3, 0, 0, 0), // topologyKey
    // io.k8s.api.core.v1.PodAntiAffinity
    f(639, L::Object, S::List, 347, false, false, 2, 0, 1, 0), // preferredDuringSchedulingIgnoredDuringExecution
    f(640, L::Object, S::List, 264, false, false, 1, 0, 1, 0), // requiredDuringSchedulingIgnoredDuringExecution
    // io.k8s.api.core.v1.PodCertificateProjection
    f(769, L::String, S::One, 0, false, false, 6, 0, 0, 0), // certificateChainPath
    f(770, L::String, S::One, 0, false, false, 4, 0, 0, 0), // credentialBundlePath
    f(771, L::String, S::One, 0, false, false, 5, 0, 0, 0), // keyPath
    f(772, L::String, S::One, 0, true, true, 2, 0, 0, 0), // keyType
    f(349, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // maxExpirationSeconds
    f(340, L::String, S::One, 0, true, true, 1, 0, 0, 0), // signerName
    f(175, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // user
    f(773, L::String, S::Map, 0, false, false, 7, 0, 0, 0), // userAnnotations
    // io.k8s.api.core.v1.PodCondition
    f(289, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastProbeTime
    f(94, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 6, 0, 0, 0), // message
    f(76, L::Int64, S::One, 0, false, false, 7, 0, 0, 0), // observedGeneration
    f(83, L::String, S::One, 0, false, false, 5, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.PodDNSConfig
    f(776, L::String, S::List, 0, false, false, 1, 0, 1, 0), // nameservers
    f(560, L::Object, S::List, 269, false, false, 3, 0, 1, 0), // options
    f(777, L::String, S::List, 0, false, false, 2, 0, 1, 0), // searches
    // io.k8s.api.core.v1.PodDNSConfigOption
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(239, L::String, S::One, 0, false, true, 2, 0, 0, 0), // value
    // io.k8s.api.core.v1.PodExtendedResourceClaimStatus
    f(780, L::Object, S::List, 162, true, true, 1, 0, 1, 0), // requestMappings
    f(650, L::String, S::One, 0, true, true, 2, 0, 0, 0), // resourceClaimName
    // io.k8s.api.core.v1.PodIP
    f(512, L::String, S::One, 0, true, true, 1, 0, 0, 0), // ip
    // io.k8s.api.core.v1.PodOS
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.core.v1.PodReadinessGate
    f(784, L::String, S::One, 0, true, true, 1, 0, 0, 0), // conditionType
    // io.k8s.api.core.v1.PodResourceClaim
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(650, L::String, S::One, 0, false, true, 3, 0, 0, 0), // resourceClaimName
    f(786, L::String, S::One, 0, false, true, 4, 0, 0, 0), // resourceClaimTemplateName
    // io.k8s.api.core.v1.PodResourceClaimStatus
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(650, L::String, S::One, 0, false, true, 2, 0, 0, 0), // resourceClaimName
    // io.k8s.api.core.v1.PodSchedulingGate
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.core.v1.PodSchedulingGroup
    f(790, L::String, S::One, 0, false, true, 1, 0, 0, 0), // podGroupName
    // io.k8s.api.core.v1.PodSecurityContext
    f(792, L::Object, S::One, 138, false, false, 11, 0, 0, 0), // appArmorProfile
    f(793, L::Int64, S::One, 0, false, true, 5, 0, 0, 0), // fsGroup
    f(794, L::String, S::One, 0, false, true, 9, 0, 0, 0), // fsGroupChangePolicy
    f(795, L::Int64, S::One, 0, false, true, 6, 0, 0, 0), // runAsGroup
    f(796, L::Boolean, S::One, 0, false, true, 3, 0, 0, 0), // runAsNonRoot
    f(797, L::Int64, S::One, 0, false, true, 2, 0, 0, 0), // runAsUser
    f(798, L::String, S::One, 0, false, true, 13, 0, 0, 0), // seLinuxChangePolicy
    f(799, L::Object, S::One, 304, false, false, 1, 0, 0, 0), // seLinuxOptions
    f(800, L::Object, S::One, 309, false, false, 10, 0, 0, 0), // seccompProfile
    f(618, L::Int64, S::List, 0, false, true, 4, 0, 1, 0), // supplementalGroups
    f(661, L::String, S::One, 0, false, true, 12, 0, 0, 0), // supplementalGroupsPolicy
    f(801, L::Object, S::List, 327, false, false, 7, 0, 1, 0), // sysctls
    f(802, L::Object, S::One, 348, false, false, 8, 0, 0, 0), // windowsOptions
    // io.k8s.api.core.v1.PodSpec
    f(296, L::Int64, S::One, 0, false, true, 5, 0, 0, 0), // activeDeadlineSeconds
    f(804, L::Object, S::One, 137, false, false, 18, 0, 0, 0), // affinity
    f(805, L::Boolean, S::One, 0, false, true, 21, 0, 0, 0), // automountServiceAccountToken
    f(647, L::Object, S::List, 161, true, true, 2, 0, 2, 0), // containers
    f(806, L::Object, S::One, 268, false, false, 26, 0, 0, 0), // dnsConfig
    f(807, L::String, S::One, 0, false, false, 6, 0, 0, 0), // dnsPolicy
    f(808, L::Boolean, S::One, 0, false, true, 30, 0, 0, 0), // enableServiceLinks
    f(809, L::Object, S::List, 186, false, false, 34, 0, 2, 0), // ephemeralContainers
    f(810, L::Object, S::List, 191, false, false, 44, 0, 0, 0), // evictionResponders
    f(811, L::Object, S::List, 205, false, false, 23, 0, 13, 0), // hostAliases
    f(812, L::Boolean, S::One, 0, false, false, 13, 0, 0, 0), // hostIPC
    f(813, L::Boolean, S::One, 0, false, false, 11, 0, 0, 0), // hostNetwork
    f(814, L::Boolean, S::One, 0, false, false, 12, 0, 0, 0), // hostPID
    f(815, L::Boolean, S::One, 0, false, true, 37, 0, 0, 0), // hostUsers
    f(511, L::String, S::One, 0, false, false, 16, 0, 0, 0), // hostname
    f(816, L::String, S::One, 0, false, true, 41, 0, 0, 0), // hostnameOverride
    f(817, L::Object, S::List, 221, false, false, 15, 0, 2, 0), // imagePullSecrets
    f(818, L::Object, S::List, 161, false, false, 20, 0, 2, 0), // initContainers
    f(351, L::String, S::One, 0, false, false, 10, 0, 0, 0), // nodeName
    f(819, L::String, S::Map, 0, false, false, 7, 0, 1, 0), // nodeSelector
    f(820, L::Object, S::One, 272, false, false, 36, 0, 0, 0), // os
    f(649, L::Quantity, S::Map, 0, false, false, 32, 0, 0, 0), // overhead
    f(821, L::String, S::One, 0, false, true, 31, 0, 0, 0), // preemptionPolicy
    f(551, L::Int32, S::One, 0, false, true, 25, 0, 0, 0), // priority
    f(822, L::String, S::One, 0, false, false, 24, 0, 0, 0), // priorityClassName
    f(823, L::Object, S::List, 273, false, false, 28, 0, 1, 0), // readinessGates
    f(292, L::Object, S::List, 274, false, false, 39, 0, 14, 0), // resourceClaims
    f(53, L::Object, S::One, 302, false, false, 40, 0, 0, 0), // resources
    f(449, L::String, S::One, 0, false, false, 3, 0, 0, 0), // restartPolicy
    f(824, L::String, S::One, 0, false, true, 29, 0, 0, 0), // runtimeClassName
    f(825, L::String, S::One, 0, false, false, 19, 0, 0, 0), // schedulerName
    f(826, L::Object, S::List, 276, false, false, 38, 0, 2, 0), // schedulingGates
    f(827, L::Object, S::One, 277, false, false, 43, 0, 0, 0), // schedulingGroup
    f(451, L::Object, S::One, 278, false, false, 14, 0, 0, 0), // securityContext
    f(828, L::String, S::One, 0, false, false, 9, 0, 0, 0), // serviceAccount
    f(355, L::String, S::One, 0, false, false, 8, 0, 0, 0), // serviceAccountName
    f(829, L::Boolean, S::One, 0, false, true, 35, 0, 0, 0), // setHostnameAsFQDN
    f(830, L::Boolean, S::One, 0, false, true, 27, 0, 0, 0), // shareProcessNamespace
    f(831, L::String, S::One, 0, false, false, 17, 0, 0, 0), // subdomain
    f(832, L::Int64, S::One, 0, false, true, 4, 0, 0, 0), // terminationGracePeriodSeconds
    f(833, L::Object, S::List, 330, false, false, 22, 0, 1, 0), // tolerations
    f(834, L::Object, S::List, 333, false, false, 33, 0, 15, 0), // topologySpreadConstraints
    f(835, L::Object, S::List, 336, false, false, 1, 0, 14, 0), // volumes
    // io.k8s.api.core.v1.PodStatus
    f(490, L::Quantity, S::Map, 0, false, false, 19, 0, 0, 0), // allocatedResources
    f(75, L::Object, S::List, 267, false, false, 2, 0, 5, 0), // conditions
    f(837, L::Object, S::List, 172, false, false, 8, 0, 1, 0), // containerStatuses
    f(838, L::Object, S::List, 172, false, false, 13, 0, 1, 0), // ephemeralContainerStatuses
    f(839, L::Object, S::One, 270, false, false, 18, 0, 0, 0), // extendedResourceClaimStatus
    f(469, L::String, S::One, 0, false, false, 5, 0, 0, 0), // hostIP
    f(840, L::Object, S::List, 206, false, false, 16, 0, 16, 0), // hostIPs
    f(841, L::Object, S::List, 172, false, false, 10, 0, 1, 0), // initContainerStatuses
    f(81, L::String, S::One, 0, false, false, 3, 0, 0, 0), // message
    f(842, L::Object, S::List, 234, false, false, 0, 0, 0, 0), // nodeAllocatableResourceClaimStatuses
    f(843, L::String, S::One, 0, false, false, 11, 0, 0, 0), // nominatedNodeName
    f(76, L::Int64, S::One, 0, false, false, 17, 0, 0, 0), // observedGeneration
    f(634, L::String, S::One, 0, false, false, 1, 0, 0, 0), // phase
    f(844, L::String, S::One, 0, false, false, 6, 0, 0, 0), // podIP
    f(845, L::Object, S::List, 271, false, false, 12, 0, 13, 0), // podIPs
    f(846, L::String, S::One, 0, false, false, 9, 0, 0, 0), // qosClass
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(847, L::String, S::One, 0, false, false, 14, 0, 0, 0), // resize
    f(848, L::Object, S::List, 275, false, false, 15, 0, 14, 0), // resourceClaimStatuses
    f(53, L::Object, S::One, 302, false, false, 20, 0, 0, 0), // resources
    f(316, L::Time, S::One, 0, false, false, 7, 0, 0, 0), // startTime
    f(849, L::Object, S::List, 283, false, false, 0, 0, 0, 0), // volumeHealth
    // io.k8s.api.core.v1.PodTemplate
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(99, L::Object, S::One, 282, false, false, 2, 0, 0, 0), // template
    // io.k8s.api.core.v1.PodTemplateSpec
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 279, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.core.v1.PodVolumeHealth
    f(853, L::Object, S::List, 338, false, false, 0, 0, 0, 0), // healthConditions
    f(94, L::Time, S::One, 0, false, false, 0, 0, 0, 0), // lastTransitionTime
    f(11, L::String, S::One, 0, true, true, 0, 0, 0, 0), // name
    // io.k8s.api.core.v1.PortStatus
    f(174, L::String, S::One, 0, false, true, 3, 0, 0, 0), // error
    f(63, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // port
    f(471, L::String, S::One, 0, true, true, 2, 0, 0, 0), // protocol
    // io.k8s.api.core.v1.PortworxVolumeSource
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(375, L::String, S::One, 0, true, true, 1, 0, 0, 0), // volumeID
    // io.k8s.api.core.v1.PreferredSchedulingTerm
    f(857, L::Object, S::One, 245, true, true, 2, 0, 0, 0), // preference
    f(858, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // weight
    // io.k8s.api.core.v1.Probe
    f(603, L::Object, S::One, 192, false, false, 1, 1, 0, 0), // exec
    f(860, L::Int32, S::One, 0, false, false, 6, 0, 0, 0), // failureThreshold
    f(861, L::Object, S::One, 199, false, false, 4, 1, 0, 0), // grpc
    f(604, L::Object, S::One, 203, false, false, 2, 1, 0, 0), // httpGet
    f(862, L::Int32, S::One, 0, false, false, 2, 0, 0, 0), // initialDelaySeconds
    f(238, L::Int32, S::One, 0, false, false, 4, 0, 0, 0), // periodSeconds
    f(863, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // successThreshold
    f(606, L::Object, S::One, 328, false, false, 3, 1, 0, 0), // tcpSocket
    f(832, L::Int64, S::One, 0, false, true, 7, 0, 0, 0), // terminationGracePeriodSeconds
    f(41, L::Int32, S::One, 0, false, false, 3, 0, 0, 0), // timeoutSeconds
    // io.k8s.api.core.v1.ProjectedVolumeSource
    f(435, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // defaultMode
    f(436, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // defaultUser
    f(865, L::Object, S::List, 343, false, false, 1, 0, 1, 0), // sources
    // io.k8s.api.core.v1.QuobyteVolumeSource
    f(192, L::String, S::One, 0, false, false, 5, 0, 0, 0), // group
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(867, L::String, S::One, 0, true, true, 1, 0, 0, 0), // registry
    f(868, L::String, S::One, 0, false, false, 6, 0, 0, 0), // tenant
    f(175, L::String, S::One, 0, false, false, 4, 0, 0, 0), // user
    f(869, L::String, S::One, 0, true, true, 2, 0, 0, 0), // volume
    // io.k8s.api.core.v1.RBDPersistentVolumeSource
    f(373, L::String, S::One, 0, false, false, 3, 0, 0, 0), // fsType
    f(442, L::String, S::One, 0, true, true, 2, 0, 0, 0), // image
    f(871, L::String, S::One, 0, false, false, 6, 0, 0, 872), // keyring
    f(412, L::String, S::List, 0, true, true, 1, 0, 1, 0), // monitors
    f(873, L::String, S::One, 0, false, false, 4, 0, 0, 874), // pool
    f(374, L::Boolean, S::One, 0, false, false, 8, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 314, false, false, 7, 0, 0, 0), // secretRef
    f(175, L::String, S::One, 0, false, false, 5, 0, 0, 875), // user
    // io.k8s.api.core.v1.RBDVolumeSource
    f(373, L::String, S::One, 0, false, false, 3, 0, 0, 0), // fsType
    f(442, L::String, S::One, 0, true, true, 2, 0, 0, 0), // image
    f(871, L::String, S::One, 0, false, false, 6, 0, 0, 872), // keyring
    f(412, L::String, S::List, 0, true, true, 1, 0, 1, 0), // monitors
    f(873, L::String, S::One, 0, false, false, 4, 0, 0, 874), // pool
    f(374, L::Boolean, S::One, 0, false, false, 8, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 221, false, false, 7, 0, 0, 0), // secretRef
    f(175, L::String, S::One, 0, false, false, 5, 0, 0, 875), // user
    // io.k8s.api.core.v1.ReplicationController
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 294, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 295, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.core.v1.ReplicationControllerCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.ReplicationControllerSpec
    f(97, L::Int32, S::One, 0, false, false, 4, 0, 0, 226), // minReadySeconds
    f(118, L::Int32, S::One, 0, false, true, 1, 0, 0, 880), // replicas
    f(59, L::String, S::Map, 0, false, false, 2, 0, 1, 0), // selector
    f(99, L::Object, S::One, 282, false, false, 3, 0, 0, 0), // template
    // io.k8s.api.core.v1.ReplicationControllerStatus
    f(121, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // availableReplicas
    f(75, L::Object, S::List, 293, false, false, 6, 0, 5, 0), // conditions
    f(131, L::Int32, S::One, 0, false, false, 2, 0, 0, 0), // fullyLabeledReplicas
    f(76, L::Int64, S::One, 0, false, false, 3, 0, 0, 0), // observedGeneration
    f(122, L::Int32, S::One, 0, false, false, 4, 0, 0, 0), // readyReplicas
    f(118, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // replicas
    // io.k8s.api.core.v1.ResourceClaim
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(339, L::String, S::One, 0, false, false, 2, 0, 0, 0), // request
    // io.k8s.api.core.v1.ResourceFieldSelector
    f(323, L::String, S::One, 0, false, false, 1, 0, 0, 0), // containerName
    f(884, L::Quantity, S::One, 0, false, false, 3, 0, 0, 0), // divisor
    f(194, L::String, S::One, 0, true, true, 2, 0, 0, 0), // resource
    // io.k8s.api.core.v1.ResourceHealth
    f(886, L::String, S::One, 0, false, false, 2, 0, 0, 0), // health
    f(81, L::String, S::One, 0, false, true, 6, 0, 0, 0), // message
    f(887, L::String, S::One, 0, true, true, 1, 0, 0, 0), // resourceID
    // io.k8s.api.core.v1.ResourceQuota
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 300, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 301, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.core.v1.ResourceQuotaSpec
    f(890, L::Quantity, S::Map, 0, false, false, 1, 0, 0, 0), // hard
    f(891, L::Object, S::One, 307, false, false, 3, 0, 0, 0), // scopeSelector
    f(892, L::String, S::List, 0, false, false, 2, 0, 1, 0), // scopes
    // io.k8s.api.core.v1.ResourceQuotaStatus
    f(890, L::Quantity, S::Map, 0, false, false, 1, 0, 0, 0), // hard
    f(894, L::Quantity, S::Map, 0, false, false, 2, 0, 0, 0), // used
    // io.k8s.api.core.v1.ResourceRequirements
    f(896, L::Object, S::List, 296, false, false, 3, 0, 17, 0), // claims
    f(615, L::Quantity, S::Map, 0, false, false, 1, 0, 0, 0), // limits
    f(897, L::Quantity, S::Map, 0, false, false, 2, 0, 0, 0), // requests
    // io.k8s.api.core.v1.ResourceStatus
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(53, L::Object, S::List, 298, false, false, 2, 0, 18, 0), // resources
    // io.k8s.api.core.v1.SELinuxOptions
    f(900, L::String, S::One, 0, false, false, 4, 0, 0, 0), // level
    f(901, L::String, S::One, 0, false, false, 2, 0, 0, 0), // role
    f(95, L::String, S::One, 0, false, false, 3, 0, 0, 0), // type
    f(175, L::String, S::One, 0, false, false, 1, 0, 0, 0), // user
    // io.k8s.api.core.v1.ScaleIOPersistentVolumeSource
    f(373, L::String, S::One, 0, false, false, 9, 0, 0, 903), // fsType
    f(904, L::String, S::One, 0, true, true, 1, 0, 0, 0), // gateway
    f(905, L::String, S::One, 0, false, false, 5, 0, 0, 0), // protectionDomain
    f(374, L::Boolean, S::One, 0, false, false, 10, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 314, true, true, 3, 0, 0, 0), // secretRef
    f(906, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // sslEnabled
    f(907, L::String, S::One, 0, false, false, 7, 0, 0, 908), // storageMode
    f(909, L::String, S::One, 0, false, false, 6, 0, 0, 0), // storagePool
    f(910, L::String, S::One, 0, true, true, 2, 0, 0, 0), // system
    f(558, L::String, S::One, 0, false, false, 8, 0, 0, 0), // volumeName
    // io.k8s.api.core.v1.ScaleIOVolumeSource
    f(373, L::String, S::One, 0, false, false, 9, 0, 0, 903), // fsType
    f(904, L::String, S::One, 0, true, true, 1, 0, 0, 0), // gateway
    f(905, L::String, S::One, 0, false, false, 5, 0, 0, 0), // protectionDomain
    f(374, L::Boolean, S::One, 0, false, false, 10, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 221, true, true, 3, 0, 0, 0), // secretRef
    f(906, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // sslEnabled
    f(907, L::String, S::One, 0, false, false, 7, 0, 0, 908), // storageMode
    f(909, L::String, S::One, 0, false, false, 6, 0, 0, 0), // storagePool
    f(910, L::String, S::One, 0, true, true, 2, 0, 0, 0), // system
    f(558, L::String, S::One, 0, false, false, 8, 0, 0, 0), // volumeName
    // io.k8s.api.core.v1.ScopeSelector
    f(673, L::Object, S::List, 308, false, false, 1, 0, 1, 0), // matchExpressions
    // io.k8s.api.core.v1.ScopedResourceSelectorRequirement
    f(324, L::String, S::One, 0, true, true, 2, 0, 0, 0), // operator
    f(914, L::String, S::One, 0, true, true, 1, 0, 0, 0), // scopeName
    f(325, L::String, S::List, 0, false, false, 3, 0, 1, 0), // values
    // io.k8s.api.core.v1.SeccompProfile
    f(381, L::String, S::One, 0, false, true, 2, 0, 0, 0), // localhostProfile
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.core.v1.Secret
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(90, L::Bytes, S::Map, 0, false, false, 2, 0, 0, 0), // data
    f(425, L::Boolean, S::One, 0, false, true, 5, 0, 0, 0), // immutable
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(917, L::String, S::Map, 0, false, false, 4, 0, 0, 0), // stringData
    f(95, L::String, S::One, 0, false, false, 3, 0, 0, 0), // type
    // io.k8s.api.core.v1.SecretEnvSource
    f(11, L::String, S::One, 0, false, false, 1, 1, 0, 427), // name
    f(420, L::Boolean, S::One, 0, false, true, 2, 0, 0, 0), // optional
    // io.k8s.api.core.v1.SecretKeySelector
    f(4, L::String, S::One, 0, true, true, 2, 0, 0, 0), // key
    f(11, L::String, S::One, 0, false, false, 1, 1, 0, 427), // name
    f(420, L::Boolean, S::One, 0, false, true, 3, 0, 0, 0), // optional
    // io.k8s.api.core.v1.SecretProjection
    f(433, L::Object, S::List, 212, false, false, 2, 0, 1, 0), // items
    f(11, L::String, S::One, 0, false, false, 1, 1, 0, 427), // name
    f(420, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // optional
    // io.k8s.api.core.v1.SecretReference
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, false, 2, 0, 0, 0), // namespace
    // io.k8s.api.core.v1.SecretVolumeSource
    f(435, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // defaultMode
    f(436, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // defaultUser
    f(433, L::Object, S::List, 212, false, false, 2, 0, 1, 0), // items
    f(420, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // optional
    f(393, L::String, S::One, 0, false, false, 1, 0, 0, 0), // secretName
    // io.k8s.api.core.v1.SecurityContext
    f(924, L::Boolean, S::One, 0, false, true, 7, 0, 0, 0), // allowPrivilegeEscalation
    f(792, L::Object, S::One, 138, false, false, 12, 0, 0, 0), // appArmorProfile
    f(925, L::Object, S::One, 146, false, false, 1, 0, 0, 0), // capabilities
    f(926, L::Boolean, S::One, 0, false, true, 2, 0, 0, 0), // privileged
    f(927, L::String, S::One, 0, false, true, 9, 0, 0, 0), // procMount
    f(928, L::Boolean, S::One, 0, false, true, 6, 0, 0, 0), // readOnlyRootFilesystem
    f(795, L::Int64, S::One, 0, false, true, 8, 0, 0, 0), // runAsGroup
    f(796, L::Boolean, S::One, 0, false, true, 5, 0, 0, 0), // runAsNonRoot
    f(797, L::Int64, S::One, 0, false, true, 4, 0, 0, 0), // runAsUser
    f(799, L::Object, S::One, 304, false, false, 3, 0, 0, 0), // seLinuxOptions
    f(800, L::Object, S::One, 309, false, false, 11, 0, 0, 0), // seccompProfile
    f(802, L::Object, S::One, 348, false, false, 10, 0, 0, 0), // windowsOptions
    // io.k8s.api.core.v1.Service
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 321, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 322, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.core.v1.ServiceAccount
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(805, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // automountServiceAccountToken
    f(817, L::Object, S::List, 221, false, false, 3, 0, 1, 0), // imagePullSecrets
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(931, L::Object, S::List, 251, false, false, 2, 0, 2, 0), // secrets
    // io.k8s.api.core.v1.ServiceAccountTokenProjection
    f(933, L::String, S::One, 0, false, false, 1, 0, 0, 0), // audience
    f(166, L::Int64, S::One, 0, false, true, 2, 0, 0, 0), // expirationSeconds
    f(62, L::String, S::One, 0, true, true, 3, 0, 0, 0), // path
    f(175, L::Int64, S::One, 0, false, true, 0, 0, 0, 0), // user
    // io.k8s.api.core.v1.ServicePort
    f(515, L::String, S::One, 0, false, true, 6, 0, 0, 0), // appProtocol
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(935, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // nodePort
    f(63, L::Int32, S::One, 0, true, true, 3, 0, 0, 0), // port
    f(471, L::String, S::One, 0, false, false, 2, 0, 0, 472), // protocol
    f(936, L::IntOrString, S::One, 0, false, false, 4, 0, 0, 0), // targetPort
    // io.k8s.api.core.v1.ServiceSpec
    f(938, L::Boolean, S::One, 0, false, true, 20, 0, 0, 0), // allocateLoadBalancerNodePorts
    f(939, L::String, S::One, 0, false, false, 3, 0, 0, 0), // clusterIP
    f(940, L::String, S::List, 0, false, false, 18, 0, 1, 0), // clusterIPs
    f(941, L::String, S::List, 0, false, false, 5, 0, 1, 0), // externalIPs
    f(942, L::String, S::One, 0, false, false, 10, 0, 0, 0), // externalName
    f(943, L::String, S::One, 0, false, false, 11, 0, 0, 0), // externalTrafficPolicy
    f(944, L::Int32, S::One, 0, false, false, 12, 0, 0, 0), // healthCheckNodePort
    f(945, L::String, S::One, 0, false, true, 22, 0, 0, 0), // internalTrafficPolicy
    f(946, L::String, S::List, 0, false, false, 19, 0, 1, 0), // ipFamilies
    f(947, L::String, S::One, 0, false, true, 17, 0, 0, 0), // ipFamilyPolicy
    f(948, L::String, S::One, 0, false, true, 21, 0, 0, 0), // loadBalancerClass
    f(949, L::String, S::One, 0, false, false, 8, 0, 0, 0), // loadBalancerIP
    f(950, L::String, S::List, 0, false, false, 9, 0, 1, 0), // loadBalancerSourceRanges
    f(446, L::Object, S::List, 320, false, false, 1, 0, 19, 0), // ports
    f(951, L::Boolean, S::One, 0, false, false, 13, 0, 0, 0), // publishNotReadyAddresses
    f(59, L::String, S::Map, 0, false, false, 2, 0, 1, 0), // selector
    f(952, L::String, S::One, 0, false, false, 7, 0, 0, 0), // sessionAffinity
    f(953, L::Object, S::One, 323, false, false, 14, 0, 0, 0), // sessionAffinityConfig
    f(954, L::String, S::One, 0, false, true, 23, 0, 0, 0), // trafficDistribution
    f(95, L::String, S::One, 0, false, false, 4, 0, 0, 0), // type
    // io.k8s.api.core.v1.ServiceStatus
    f(75, L::Object, S::List, 529, false, false, 2, 0, 5, 0), // conditions
    f(956, L::Object, S::One, 220, false, false, 1, 0, 0, 0), // loadBalancer
    // io.k8s.api.core.v1.SessionAffinityConfig
    f(958, L::Object, S::One, 151, false, false, 1, 0, 0, 0), // clientIP
    // io.k8s.api.core.v1.SleepAction
    f(960, L::Int64, S::One, 0, true, true, 1, 0, 0, 0), // seconds
    // io.k8s.api.core.v1.StorageOSPersistentVolumeSource
    f(373, L::String, S::One, 0, false, false, 3, 0, 0, 0), // fsType
    f(374, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 251, false, false, 5, 0, 0, 0), // secretRef
    f(558, L::String, S::One, 0, false, false, 1, 0, 0, 0), // volumeName
    f(962, L::String, S::One, 0, false, false, 2, 0, 0, 0), // volumeNamespace
    // io.k8s.api.core.v1.StorageOSVolumeSource
    f(373, L::String, S::One, 0, false, false, 3, 0, 0, 0), // fsType
    f(374, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // readOnly
    f(414, L::Object, S::One, 221, false, false, 5, 0, 0, 0), // secretRef
    f(558, L::String, S::One, 0, false, false, 1, 0, 0, 0), // volumeName
    f(962, L::String, S::One, 0, false, false, 2, 0, 0, 0), // volumeNamespace
    // io.k8s.api.core.v1.Sysctl
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(239, L::String, S::One, 0, true, true, 2, 0, 0, 0), // value
    // io.k8s.api.core.v1.TCPSocketAction
    f(549, L::String, S::One, 0, false, false, 2, 0, 0, 0), // host
    f(63, L::IntOrString, S::One, 0, true, true, 1, 0, 0, 0), // port
    // io.k8s.api.core.v1.Taint
    f(967, L::String, S::One, 0, true, true, 3, 0, 0, 0), // effect
    f(4, L::String, S::One, 0, true, true, 1, 0, 0, 0), // key
    f(968, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // timeAdded
    f(239, L::String, S::One, 0, false, false, 2, 0, 0, 0), // value
    // io.k8s.api.core.v1.Toleration
    f(967, L::String, S::One, 0, false, false, 4, 0, 0, 0), // effect
    f(4, L::String, S::One, 0, false, false, 1, 0, 0, 0), // key
    f(324, L::String, S::One, 0, false, false, 2, 0, 0, 0), // operator
    f(970, L::Int64, S::One, 0, false, true, 5, 0, 0, 0), // tolerationSeconds
    f(239, L::String, S::One, 0, false, false, 3, 0, 0, 0), // value
    // io.k8s.api.core.v1.TopologySelectorLabelRequirement
    f(4, L::String, S::One, 0, true, true, 1, 0, 0, 0), // key
    f(325, L::String, S::List, 0, true, true, 2, 0, 1, 0), // values
    // io.k8s.api.core.v1.TopologySelectorTerm
    f(973, L::Object, S::List, 331, false, false, 1, 0, 1, 0), // matchLabelExpressions
    // io.k8s.api.core.v1.TopologySpreadConstraint
    f(193, L::Object, S::One, 535, false, false, 4, 0, 0, 0), // labelSelector
    f(763, L::String, S::List, 0, false, false, 8, 0, 1, 0), // matchLabelKeys
    f(975, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // maxSkew
    f(976, L::Int32, S::One, 0, false, true, 5, 0, 0, 0), // minDomains
    f(977, L::String, S::One, 0, false, true, 6, 0, 0, 0), // nodeAffinityPolicy
    f(978, L::String, S::One, 0, false, true, 7, 0, 0, 0), // nodeTaintsPolicy
    f(766, L::String, S::One, 0, true, true, 2, 0, 0, 0), // topologyKey
    f(979, L::String, S::One, 0, true, true, 3, 0, 0, 0), // whenUnsatisfiable
    // io.k8s.api.core.v1.TypedLocalObjectReference
    f(981, L::String, S::One, 0, false, true, 1, 0, 0, 0), // apiGroup
    f(20, L::String, S::One, 0, true, true, 2, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 3, 0, 0, 0), // name
    // io.k8s.api.core.v1.TypedObjectReference
    f(981, L::String, S::One, 0, false, true, 1, 0, 0, 0), // apiGroup
    f(20, L::String, S::One, 0, true, true, 2, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 3, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, true, 4, 0, 0, 0), // namespace
    // io.k8s.api.core.v1.Volume
    f(731, L::Object, S::One, 136, false, false, 4, 2, 0, 0), // awsElasticBlockStore
    f(732, L::Object, S::One, 140, false, false, 22, 2, 0, 0), // azureDisk
    f(733, L::Object, S::One, 142, false, false, 18, 2, 0, 0), // azureFile
    f(734, L::Object, S::One, 148, false, false, 14, 2, 0, 0), // cephfs
    f(735, L::Object, S::One, 150, false, false, 13, 2, 0, 0), // cinder
    f(654, L::Object, S::One, 160, false, false, 19, 2, 0, 0), // configMap
    f(737, L::Object, S::One, 145, false, false, 28, 2, 0, 0), // csi
    f(984, L::Object, S::One, 177, false, false, 16, 2, 0, 0), // downwardAPI
    f(985, L::Object, S::One, 178, false, false, 2, 2, 0, 0), // emptyDir
    f(986, L::Object, S::One, 187, false, false, 29, 2, 0, 0), // ephemeral
    f(738, L::Object, S::One, 193, false, false, 17, 2, 0, 0), // fc
    f(739, L::Object, S::One, 196, false, false, 12, 2, 0, 0), // flexVolume
    f(740, L::Object, S::One, 197, false, false, 15, 2, 0, 0), // flocker
    f(741, L::Object, S::One, 198, false, false, 3, 2, 0, 0), // gcePersistentDisk
    f(987, L::Object, S::One, 200, false, false, 5, 2, 0, 0), // gitRepo
    f(742, L::Object, S::One, 202, false, false, 9, 2, 0, 0), // glusterfs
    f(743, L::Object, S::One, 207, false, false, 1, 2, 0, 0), // hostPath
    f(442, L::Object, S::One, 210, false, false, 30, 2, 0, 0), // image
    f(744, L::Object, S::One, 209, false, false, 8, 2, 0, 0), // iscsi
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(747, L::Object, S::One, 224, false, false, 7, 2, 0, 0), // nfs
    f(988, L::Object, S::One, 258, false, false, 10, 2, 0, 0), // persistentVolumeClaim
    f(749, L::Object, S::One, 261, false, false, 23, 2, 0, 0), // photonPersistentDisk
    f(750, L::Object, S::One, 285, false, false, 24, 2, 0, 0), // portworxVolume
    f(989, L::Object, S::One, 288, false, false, 26, 2, 0, 0), // projected
    f(751, L::Object, S::One, 289, false, false, 21, 2, 0, 0), // quobyte
    f(752, L::Object, S::One, 291, false, false, 11, 2, 0, 0), // rbd
    f(753, L::Object, S::One, 306, false, false, 25, 2, 0, 0), // scaleIO
    f(990, L::Object, S::One, 315, false, false, 6, 2, 0, 0), // secret
    f(754, L::Object, S::One, 326, false, false, 27, 2, 0, 0), // storageos
    f(755, L::Object, S::One, 346, false, false, 20, 2, 0, 0), // vsphereVolume
    // io.k8s.api.core.v1.VolumeDevice
    f(383, L::String, S::One, 0, true, true, 2, 0, 0, 0), // devicePath
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.core.v1.VolumeHealthCondition
    f(81, L::String, S::One, 0, false, false, 0, 0, 0, 0), // message
    f(83, L::String, S::One, 0, true, true, 0, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 0, 0, 0, 0), // status
    // io.k8s.api.core.v1.VolumeHealthStatus
    f(853, L::Object, S::List, 338, false, false, 0, 0, 0, 0), // healthConditions
    f(94, L::Time, S::One, 0, false, false, 0, 0, 0, 0), // lastTransitionTime
    // io.k8s.api.core.v1.VolumeMount
    f(995, L::String, S::List, 0, false, false, 0, 0, 0, 0), // bindMountOptions
    f(996, L::String, S::One, 0, true, true, 3, 0, 0, 0), // mountPath
    f(997, L::String, S::One, 0, false, true, 5, 0, 0, 0), // mountPropagation
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(374, L::Boolean, S::One, 0, false, false, 2, 0, 0, 0), // readOnly
    f(998, L::String, S::One, 0, false, true, 7, 0, 0, 0), // recursiveReadOnly
    f(999, L::String, S::One, 0, false, false, 4, 0, 0, 0), // subPath
    f(1000, L::String, S::One, 0, false, false, 6, 0, 0, 0), // subPathExpr
    // io.k8s.api.core.v1.VolumeMountStatus
    f(996, L::String, S::One, 0, true, true, 2, 0, 0, 0), // mountPath
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(374, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // readOnly
    f(998, L::String, S::One, 0, false, true, 4, 0, 0, 0), // recursiveReadOnly
    f(1002, L::Object, S::One, 345, false, false, 0, 0, 0, 0), // volumeStatus
    // io.k8s.api.core.v1.VolumeNodeAffinity
    f(1004, L::Object, S::One, 243, false, false, 1, 0, 0, 0), // required
    // io.k8s.api.core.v1.VolumeProjection
    f(1006, L::Object, S::One, 152, false, false, 5, 0, 0, 0), // clusterTrustBundle
    f(654, L::Object, S::One, 159, false, false, 3, 0, 0, 0), // configMap
    f(984, L::Object, S::One, 175, false, false, 2, 0, 0, 0), // downwardAPI
    f(1007, L::Object, S::One, 266, false, false, 6, 0, 0, 0), // podCertificate
    f(990, L::Object, S::One, 313, false, false, 1, 0, 0, 0), // secret
    f(1008, L::Object, S::One, 319, false, false, 4, 0, 0, 0), // serviceAccountToken
    // io.k8s.api.core.v1.VolumeResourceRequirements
    f(615, L::Quantity, S::Map, 0, false, false, 1, 0, 0, 0), // limits
    f(897, L::Quantity, S::Map, 0, false, false, 2, 0, 0, 0), // requests
    // io.k8s.api.core.v1.VolumeStatus
    f(442, L::Object, S::One, 211, false, false, 0, 0, 0, 0), // image
    // io.k8s.api.core.v1.VsphereVirtualDiskVolumeSource
    f(373, L::String, S::One, 0, false, false, 2, 0, 0, 0), // fsType
    f(1012, L::String, S::One, 0, false, false, 4, 0, 0, 0), // storagePolicyID
    f(1013, L::String, S::One, 0, false, false, 3, 0, 0, 0), // storagePolicyName
    f(1014, L::String, S::One, 0, true, true, 1, 0, 0, 0), // volumePath
    // io.k8s.api.core.v1.WeightedPodAffinityTerm
    f(1016, L::Object, S::One, 264, true, true, 2, 0, 0, 0), // podAffinityTerm
    f(858, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // weight
    // io.k8s.api.core.v1.WindowsSecurityContextOptions
    f(1018, L::String, S::One, 0, false, true, 2, 0, 0, 0), // gmsaCredentialSpec
    f(1019, L::String, S::One, 0, false, true, 1, 0, 0, 0), // gmsaCredentialSpecName
    f(1020, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // hostProcess
    f(1021, L::String, S::One, 0, false, true, 3, 0, 0, 0), // runAsUserName
    // io.k8s.api.discovery.v1.Endpoint
    f(517, L::String, S::List, 0, true, true, 1, 0, 3, 0), // addresses
    f(75, L::Object, S::One, 350, false, false, 2, 0, 0, 0), // conditions
    f(1023, L::String, S::Map, 0, false, false, 5, 0, 0, 0), // deprecatedTopology
    f(1024, L::Object, S::One, 351, false, false, 8, 0, 0, 0), // hints
    f(511, L::String, S::One, 0, false, true, 3, 0, 0, 0), // hostname
    f(351, L::String, S::One, 0, false, true, 6, 0, 0, 0), // nodeName
    f(513, L::Object, S::One, 251, false, false, 4, 0, 0, 0), // targetRef
    f(1025, L::String, S::One, 0, false, true, 7, 0, 0, 0), // zone
    // io.k8s.api.discovery.v1.EndpointConditions
    f(315, L::Boolean, S::One, 0, false, true, 1, 0, 0, 0), // ready
    f(1027, L::Boolean, S::One, 0, false, true, 2, 0, 0, 0), // serving
    f(318, L::Boolean, S::One, 0, false, true, 3, 0, 0, 0), // terminating
    // io.k8s.api.discovery.v1.EndpointHints
    f(1029, L::Object, S::List, 354, false, false, 2, 0, 1, 0), // forNodes
    f(1030, L::Object, S::List, 355, false, false, 1, 0, 1, 0), // forZones
    // io.k8s.api.discovery.v1.EndpointPort
    f(515, L::String, S::One, 0, false, true, 4, 0, 0, 0), // appProtocol
    f(11, L::String, S::One, 0, false, true, 1, 0, 0, 0), // name
    f(63, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // port
    f(471, L::String, S::One, 0, false, true, 2, 0, 0, 0), // protocol
    // io.k8s.api.discovery.v1.EndpointSlice
    f(1033, L::String, S::One, 0, true, true, 4, 0, 0, 0), // addressType
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(572, L::Object, S::List, 349, false, false, 2, 0, 1, 0), // endpoints
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(446, L::Object, S::List, 352, false, false, 3, 0, 1, 0), // ports
    // io.k8s.api.discovery.v1.ForNode
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.discovery.v1.ForZone
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.events.v1.Event
    f(328, L::String, S::One, 0, false, false, 6, 0, 0, 0), // action
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(1037, L::Int32, S::One, 0, false, false, 15, 0, 0, 0), // deprecatedCount
    f(1038, L::Time, S::One, 0, false, false, 13, 0, 0, 0), // deprecatedFirstTimestamp
    f(1039, L::Time, S::One, 0, false, false, 14, 0, 0, 0), // deprecatedLastTimestamp
    f(1040, L::Object, S::One, 190, false, false, 12, 0, 0, 0), // deprecatedSource
    f(536, L::MicroTime, S::One, 0, false, false, 2, 0, 0, 0), // eventTime
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(1041, L::String, S::One, 0, false, false, 10, 0, 0, 0), // note
    f(83, L::String, S::One, 0, false, false, 7, 0, 0, 0), // reason
    f(1042, L::Object, S::One, 251, false, false, 8, 0, 0, 0), // regarding
    f(540, L::Object, S::One, 251, false, false, 9, 0, 0, 0), // related
    f(1043, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reportingController
    f(542, L::String, S::One, 0, false, false, 5, 0, 0, 0), // reportingInstance
    f(543, L::Object, S::One, 357, false, false, 3, 0, 0, 0), // series
    f(95, L::String, S::One, 0, false, false, 11, 0, 0, 0), // type
    // io.k8s.api.events.v1.EventSeries
    f(535, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // count
    f(546, L::MicroTime, S::One, 0, true, true, 2, 0, 0, 0), // lastObservedTime
    // io.k8s.api.flowcontrol.v1.ExemptPriorityLevelConfiguration
    f(1046, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // lendablePercent
    f(1047, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // nominalConcurrencyShares
    // io.k8s.api.flowcontrol.v1.FlowDistinguisherMethod
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.flowcontrol.v1.FlowSchema
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 362, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 363, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.flowcontrol.v1.FlowSchemaCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, false, false, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.flowcontrol.v1.FlowSchemaSpec
    f(1052, L::Object, S::One, 359, false, false, 3, 0, 0, 0), // distinguisherMethod
    f(1053, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // matchingPrecedence
    f(1054, L::Object, S::One, 371, true, true, 1, 0, 0, 0), // priorityLevelConfiguration
    f(39, L::Object, S::List, 368, false, false, 4, 0, 1, 0), // rules
    // io.k8s.api.flowcontrol.v1.FlowSchemaStatus
    f(75, L::Object, S::List, 361, false, false, 1, 0, 5, 0), // conditions
    // io.k8s.api.flowcontrol.v1.GroupSubject
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.flowcontrol.v1.LimitResponse
    f(1058, L::Object, S::One, 374, false, false, 2, 0, 0, 0), // queuing
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfiguration
    f(1060, L::Int32, S::One, 0, false, true, 4, 0, 0, 0), // borrowingLimitPercent
    f(1046, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // lendablePercent
    f(1061, L::Object, S::One, 365, true, true, 2, 0, 0, 0), // limitResponse
    f(1047, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // nominalConcurrencyShares
    // io.k8s.api.flowcontrol.v1.NonResourcePolicyRule
    f(188, L::String, S::List, 0, true, true, 6, 0, 3, 0), // nonResourceURLs
    f(189, L::String, S::List, 0, true, true, 1, 0, 3, 0), // verbs
    // io.k8s.api.flowcontrol.v1.PolicyRulesWithSubjects
    f(212, L::Object, S::List, 367, false, false, 3, 0, 1, 0), // nonResourceRules
    f(17, L::Object, S::List, 375, false, false, 2, 0, 1, 0), // resourceRules
    f(1064, L::Object, S::List, 377, true, true, 1, 0, 1, 0), // subjects
    // io.k8s.api.flowcontrol.v1.PriorityLevelConfiguration
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 372, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 373, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, false, false, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationReference
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec
    f(1069, L::Object, S::One, 358, false, false, 3, 0, 0, 0), // exempt
    f(1070, L::Object, S::One, 366, false, false, 2, 0, 0, 0), // limited
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationStatus
    f(75, L::Object, S::List, 370, false, false, 1, 0, 5, 0), // conditions
    // io.k8s.api.flowcontrol.v1.QueuingConfiguration
    f(1073, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // handSize
    f(1074, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // queueLengthLimit
    f(1075, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // queues
    // io.k8s.api.flowcontrol.v1.ResourcePolicyRule
    f(49, L::String, S::List, 0, true, true, 2, 0, 3, 0), // apiGroups
    f(1077, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // clusterScope
    f(765, L::String, S::List, 0, false, false, 5, 0, 3, 0), // namespaces
    f(53, L::String, S::List, 0, true, true, 3, 0, 3, 0), // resources
    f(189, L::String, S::List, 0, true, true, 1, 0, 3, 0), // verbs
    // io.k8s.api.flowcontrol.v1.ServiceAccountSubject
    f(11, L::String, S::One, 0, true, true, 2, 0, 0, 0), // name
    f(57, L::String, S::One, 0, true, true, 1, 0, 0, 0), // namespace
    // io.k8s.api.flowcontrol.v1.Subject
    f(192, L::Object, S::One, 364, false, false, 3, 0, 0, 0), // group
    f(20, L::String, S::One, 0, true, true, 1, 0, 0, 0), // kind
    f(828, L::Object, S::One, 376, false, false, 4, 0, 0, 0), // serviceAccount
    f(175, L::Object, S::One, 378, false, false, 2, 0, 0, 0), // user
    // io.k8s.api.flowcontrol.v1.UserSubject
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.networking.v1.HTTPIngressPath
    f(1082, L::Object, S::One, 385, true, true, 2, 0, 0, 0), // backend
    f(62, L::String, S::One, 0, false, false, 1, 0, 0, 0), // path
    f(1083, L::String, S::One, 0, true, true, 3, 0, 0, 0), // pathType
    // io.k8s.api.networking.v1.HTTPIngressRuleValue
    f(1085, L::Object, S::List, 379, true, true, 1, 0, 1, 0), // paths
    // io.k8s.api.networking.v1.IPAddress
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 382, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.networking.v1.IPAddressSpec
    f(1088, L::Object, S::One, 403, true, true, 1, 0, 0, 0), // parentRef
    // io.k8s.api.networking.v1.IPBlock
    f(1090, L::String, S::One, 0, true, true, 1, 0, 0, 0), // cidr
    f(1091, L::String, S::List, 0, false, false, 2, 0, 1, 0), // except
    // io.k8s.api.networking.v1.Ingress
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 394, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 395, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.networking.v1.IngressBackend
    f(194, L::Object, S::One, 334, false, false, 3, 0, 0, 0), // resource
    f(87, L::Object, S::One, 393, false, false, 4, 0, 0, 0), // service
    // io.k8s.api.networking.v1.IngressClass
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 388, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.networking.v1.IngressClassParametersReference
    f(981, L::String, S::One, 0, false, true, 1, 0, 0, 0), // apiGroup
    f(20, L::String, S::One, 0, true, true, 2, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 3, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, true, 5, 0, 0, 0), // namespace
    f(54, L::String, S::One, 0, false, true, 4, 0, 0, 0), // scope
    // io.k8s.api.networking.v1.IngressClassSpec
    f(1097, L::String, S::One, 0, false, false, 1, 0, 0, 0), // controller
    f(1098, L::Object, S::One, 387, false, false, 2, 0, 0, 0), // parameters
    // io.k8s.api.networking.v1.IngressLoadBalancerIngress
    f(511, L::String, S::One, 0, false, false, 2, 0, 0, 0), // hostname
    f(512, L::String, S::One, 0, false, false, 1, 0, 0, 0), // ip
    f(446, L::Object, S::List, 391, false, false, 4, 0, 1, 0), // ports
    // io.k8s.api.networking.v1.IngressLoadBalancerStatus
    f(622, L::Object, S::List, 389, false, false, 1, 0, 1, 0), // ingress
    // io.k8s.api.networking.v1.IngressPortStatus
    f(174, L::String, S::One, 0, false, true, 3, 0, 0, 0), // error
    f(63, L::Int32, S::One, 0, true, true, 1, 0, 0, 0), // port
    f(471, L::String, S::One, 0, true, true, 2, 0, 0, 0), // protocol
    // io.k8s.api.networking.v1.IngressRule
    f(549, L::String, S::One, 0, false, false, 1, 0, 0, 0), // host
    f(1103, L::Object, S::One, 380, false, false, 1, 2, 0, 0), // http
    // io.k8s.api.networking.v1.IngressServiceBackend
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(63, L::Object, S::One, 404, false, false, 2, 0, 0, 0), // port
    // io.k8s.api.networking.v1.IngressSpec
    f(1106, L::Object, S::One, 385, false, false, 1, 0, 0, 0), // defaultBackend
    f(1107, L::String, S::One, 0, false, true, 4, 0, 0, 0), // ingressClassName
    f(39, L::Object, S::List, 392, false, false, 3, 0, 1, 0), // rules
    f(1108, L::Object, S::List, 396, false, false, 2, 0, 1, 0), // tls
    // io.k8s.api.networking.v1.IngressStatus
    f(956, L::Object, S::One, 390, false, false, 1, 0, 0, 0), // loadBalancer
    // io.k8s.api.networking.v1.IngressTLS
    f(1111, L::String, S::List, 0, false, false, 1, 0, 1, 0), // hosts
    f(393, L::String, S::One, 0, false, false, 2, 0, 0, 0), // secretName
    // io.k8s.api.networking.v1.NetworkPolicy
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 402, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.networking.v1.NetworkPolicyEgressRule
    f(446, L::Object, S::List, 401, false, false, 1, 0, 1, 0), // ports
    f(1114, L::Object, S::List, 400, false, false, 2, 0, 1, 0), // to
    // io.k8s.api.networking.v1.NetworkPolicyIngressRule
    f(1116, L::Object, S::List, 400, false, false, 2, 0, 1, 0), // from
    f(446, L::Object, S::List, 401, false, false, 1, 0, 1, 0), // ports
    // io.k8s.api.networking.v1.NetworkPolicyPeer
    f(1118, L::Object, S::One, 383, false, false, 3, 0, 0, 0), // ipBlock
    f(15, L::Object, S::One, 535, false, false, 2, 0, 0, 0), // namespaceSelector
    f(1119, L::Object, S::One, 535, false, false, 1, 0, 0, 0), // podSelector
    // io.k8s.api.networking.v1.NetworkPolicyPort
    f(1121, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // endPort
    f(63, L::IntOrString, S::One, 0, false, false, 2, 0, 0, 0), // port
    f(471, L::String, S::One, 0, false, true, 1, 0, 0, 0), // protocol
    // io.k8s.api.networking.v1.NetworkPolicySpec
    f(1123, L::Object, S::List, 398, false, false, 3, 0, 1, 0), // egress
    f(622, L::Object, S::List, 399, false, false, 2, 0, 1, 0), // ingress
    f(1119, L::Object, S::One, 535, false, false, 1, 0, 0, 0), // podSelector
    f(1124, L::String, S::List, 0, false, false, 4, 0, 1, 0), // policyTypes
    // io.k8s.api.networking.v1.ParentReference
    f(192, L::String, S::One, 0, false, false, 1, 0, 0, 0), // group
    f(11, L::String, S::One, 0, true, true, 4, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, false, 3, 0, 0, 0), // namespace
    f(194, L::String, S::One, 0, true, true, 2, 0, 0, 0), // resource
    // io.k8s.api.networking.v1.ServiceBackendPort
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(1127, L::Int32, S::One, 0, false, false, 2, 0, 0, 0), // number
    // io.k8s.api.networking.v1.ServiceCIDR
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 406, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 407, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.networking.v1.ServiceCIDRSpec
    f(1130, L::String, S::List, 0, false, false, 1, 0, 1, 0), // cidrs
    // io.k8s.api.networking.v1.ServiceCIDRStatus
    f(75, L::Object, S::List, 529, false, false, 1, 0, 5, 0), // conditions
    // io.k8s.api.node.v1.Overhead
    f(1133, L::Quantity, S::Map, 0, false, false, 1, 0, 0, 0), // podFixed
    // io.k8s.api.node.v1.RuntimeClass
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(1135, L::String, S::One, 0, true, true, 2, 0, 0, 0), // handler
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(649, L::Object, S::One, 408, false, false, 3, 0, 0, 0), // overhead
    f(307, L::Object, S::One, 410, false, false, 4, 0, 0, 0), // scheduling
    // io.k8s.api.node.v1.Scheduling
    f(819, L::String, S::Map, 0, false, false, 1, 0, 1, 0), // nodeSelector
    f(833, L::Object, S::List, 330, false, false, 2, 0, 1, 0), // tolerations
    // io.k8s.api.policy.v1.Eviction
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(1138, L::Object, S::One, 530, false, false, 2, 0, 0, 0), // deleteOptions
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    // io.k8s.api.policy.v1.PodDisruptionBudget
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 413, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 414, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.policy.v1.PodDisruptionBudgetSpec
    f(134, L::IntOrString, S::One, 0, false, false, 3, 0, 0, 0), // maxUnavailable
    f(1141, L::IntOrString, S::One, 0, false, false, 1, 0, 0, 0), // minAvailable
    f(59, L::Object, S::One, 535, false, false, 2, 0, 0, 0), // selector
    f(1142, L::String, S::One, 0, false, true, 4, 0, 0, 0), // unhealthyPodEvictionPolicy
    // io.k8s.api.policy.v1.PodDisruptionBudgetStatus
    f(75, L::Object, S::List, 529, false, false, 7, 0, 5, 0), // conditions
    f(1144, L::Int32, S::One, 0, false, true, 4, 0, 0, 0), // currentHealthy
    f(1145, L::Int32, S::One, 0, false, true, 5, 0, 0, 0), // desiredHealthy
    f(1146, L::Time, S::Map, 0, false, false, 2, 0, 0, 0), // disruptedPods
    f(1147, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // disruptionsAllowed
    f(1148, L::Int32, S::One, 0, false, true, 6, 0, 0, 0), // expectedPods
    f(76, L::Int64, S::One, 0, false, false, 1, 0, 0, 0), // observedGeneration
    // io.k8s.api.rbac.v1.AggregationRule
    f(1150, L::Object, S::List, 535, false, false, 1, 0, 1, 0), // clusterRoleSelectors
    // io.k8s.api.rbac.v1.ClusterRole
    f(1152, L::Object, S::One, 415, false, false, 3, 0, 0, 0), // aggregationRule
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(39, L::Object, S::List, 418, false, false, 2, 0, 1, 0), // rules
    // io.k8s.api.rbac.v1.ClusterRoleBinding
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 2, 3, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(1154, L::Object, S::One, 421, true, true, 3, 0, 0, 0), // roleRef
    f(1064, L::Object, S::List, 422, false, false, 2, 0, 1, 0), // subjects
    // io.k8s.api.rbac.v1.PolicyRule
    f(49, L::String, S::List, 0, false, false, 2, 0, 1, 0), // apiGroups
    f(188, L::String, S::List, 0, false, false, 5, 0, 1, 0), // nonResourceURLs
    f(52, L::String, S::List, 0, false, false, 4, 0, 1, 0), // resourceNames
    f(53, L::String, S::List, 0, false, false, 3, 0, 1, 0), // resources
    f(189, L::String, S::List, 0, true, true, 1, 0, 1, 0), // verbs
    // io.k8s.api.rbac.v1.Role
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(39, L::Object, S::List, 418, false, false, 2, 0, 1, 0), // rules
    // io.k8s.api.rbac.v1.RoleBinding
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 2, 3, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(1154, L::Object, S::One, 421, true, true, 3, 0, 0, 0), // roleRef
    f(1064, L::Object, S::List, 422, false, false, 2, 0, 1, 0), // subjects
    // io.k8s.api.rbac.v1.RoleRef
    f(981, L::String, S::One, 0, false, true, 1, 0, 0, 0), // apiGroup
    f(20, L::String, S::One, 0, true, true, 2, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 3, 0, 0, 0), // name
    // io.k8s.api.rbac.v1.Subject
    f(981, L::String, S::One, 0, false, false, 2, 0, 0, 0), // apiGroup
    f(20, L::String, S::One, 0, true, true, 1, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 3, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, false, 4, 0, 0, 0), // namespace
    // io.k8s.api.resource.v1.AllocatedDeviceStatus
    f(75, L::Object, S::List, 529, false, false, 4, 0, 4, 0), // conditions
    f(90, L::Any, S::One, 0, false, false, 5, 0, 0, 0), // data
    f(1161, L::String, S::One, 0, true, true, 3, 0, 0, 0), // device
    f(401, L::String, S::One, 0, true, true, 1, 0, 0, 0), // driver
    f(1162, L::Object, S::One, 455, false, false, 6, 0, 0, 0), // networkData
    f(873, L::String, S::One, 0, true, true, 2, 0, 0, 0), // pool
    f(1163, L::String, S::One, 0, false, true, 7, 0, 0, 0), // shareID
    // io.k8s.api.resource.v1.AllocationResult
    f(1165, L::Time, S::One, 0, false, false, 5, 0, 0, 0), // allocationTimestamp
    f(1166, L::Object, S::One, 433, false, false, 1, 0, 0, 0), // devices
    f(819, L::Object, S::One, 243, false, false, 3, 0, 0, 0), // nodeSelector
    // io.k8s.api.resource.v1.CELDeviceSelector
    f(2, L::String, S::One, 0, true, true, 1, 0, 0, 0), // expression
    // io.k8s.api.resource.v1.CapacityRequestPolicy
    f(609, L::Quantity, S::One, 0, false, false, 1, 0, 0, 0), // default
    f(1169, L::Object, S::One, 427, false, false, 4, 0, 0, 0), // validRange
    f(1170, L::Quantity, S::List, 0, false, false, 3, 0, 1, 0), // validValues
    // io.k8s.api.resource.v1.CapacityRequestPolicyRange
    f(611, L::Quantity, S::One, 0, false, false, 2, 0, 0, 0), // max
    f(613, L::Quantity, S::One, 0, true, true, 1, 0, 0, 0), // min
    f(1172, L::Quantity, S::One, 0, false, false, 3, 0, 0, 0), // step
    // io.k8s.api.resource.v1.CapacityRequirements
    f(897, L::Quantity, S::Map, 0, false, false, 1, 0, 0, 0), // requests
    // io.k8s.api.resource.v1.Counter
    f(239, L::Quantity, S::One, 0, true, true, 1, 0, 0, 0), // value
    // io.k8s.api.resource.v1.CounterSet
    f(1176, L::Object, S::Map, 429, true, true, 2, 0, 0, 0), // counters
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.resource.v1.Device
    f(1178, L::Boolean, S::One, 0, false, true, 7, 0, 0, 0), // allNodes
    f(1179, L::Boolean, S::One, 0, false, true, 12, 0, 0, 0), // allowMultipleAllocations
    f(1180, L::Object, S::Map, 434, false, false, 2, 0, 0, 0), // attributes
    f(1181, L::String, S::List, 0, false, false, 10, 0, 1, 0), // bindingConditions
    f(1182, L::String, S::List, 0, false, false, 11, 0, 1, 0), // bindingFailureConditions
    f(1183, L::Boolean, S::One, 0, false, true, 9, 0, 0, 0), // bindsToNode
    f(686, L::Object, S::Map, 435, false, false, 3, 0, 0, 0), // capacity
    f(1184, L::Object, S::List, 442, false, false, 4, 0, 1, 0), // consumesCounters
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(1185, L::Object, S::Map, 458, false, false, 0, 0, 0, 0), // nodeAllocatableResources
    f(351, L::String, S::One, 0, false, true, 5, 0, 0, 0), // nodeName
    f(819, L::Object, S::One, 243, false, false, 6, 0, 0, 0), // nodeSelector
    f(682, L::Object, S::List, 448, false, false, 8, 0, 1, 0), // taints
    // io.k8s.api.resource.v1.DeviceAllocationConfiguration
    f(1187, L::Object, S::One, 459, false, false, 1, 3, 0, 0), // opaque
    f(897, L::String, S::List, 0, false, false, 2, 0, 1, 0), // requests
    f(544, L::String, S::One, 0, true, true, 1, 0, 0, 0), // source
    // io.k8s.api.resource.v1.DeviceAllocationResult
    f(687, L::Object, S::List, 432, false, false, 2, 0, 1, 0), // config
    f(1189, L::Object, S::List, 445, false, false, 1, 0, 1, 0), // results
    // io.k8s.api.resource.v1.DeviceAttribute
    f(1191, L::Boolean, S::One, 0, false, true, 3, 0, 0, 0), // bool
    f(1192, L::Boolean, S::List, 0, false, true, 0, 0, 0, 0), // bools
    f(1193, L::Int64, S::One, 0, false, true, 2, 0, 0, 0), // int
    f(1194, L::Int64, S::List, 0, false, true, 0, 0, 0, 0), // ints
    f(1195, L::String, S::One, 0, false, true, 4, 0, 0, 0), // string
    f(1196, L::String, S::List, 0, false, false, 0, 0, 0, 0), // strings
    f(196, L::String, S::One, 0, false, true, 5, 0, 0, 0), // version
    f(1197, L::String, S::List, 0, false, false, 0, 0, 0, 0), // versions
    // io.k8s.api.resource.v1.DeviceCapacity
    f(1199, L::Object, S::One, 426, false, false, 2, 0, 0, 0), // requestPolicy
    f(239, L::Quantity, S::One, 0, true, true, 1, 0, 0, 0), // value
    // io.k8s.api.resource.v1.DeviceClaim
    f(687, L::Object, S::List, 437, false, false, 3, 0, 1, 0), // config
    f(1201, L::Object, S::List, 441, false, false, 2, 0, 1, 0), // constraints
    f(897, L::Object, S::List, 444, false, false, 1, 0, 1, 0), // requests
    // io.k8s.api.resource.v1.DeviceClaimConfiguration
    f(1187, L::Object, S::One, 459, false, false, 1, 2, 0, 0), // opaque
    f(897, L::String, S::List, 0, false, false, 1, 0, 1, 0), // requests
    // io.k8s.api.resource.v1.DeviceClass
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 440, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.resource.v1.DeviceClassConfiguration
    f(1187, L::Object, S::One, 459, false, false, 1, 1, 0, 0), // opaque
    // io.k8s.api.resource.v1.DeviceClassSpec
    f(687, L::Object, S::List, 439, false, false, 2, 0, 1, 0), // config
    f(1206, L::String, S::One, 0, false, true, 4, 0, 0, 0), // extendedResourceName
    f(1207, L::Object, S::List, 446, false, false, 1, 0, 1, 0), // selectors
    // io.k8s.api.resource.v1.DeviceConstraint
    f(1209, L::String, S::One, 0, false, true, 3, 0, 0, 0), // distinctAttribute
    f(1210, L::String, S::One, 0, false, true, 2, 0, 0, 0), // matchAttribute
    f(897, L::String, S::List, 0, false, false, 1, 0, 1, 0), // requests
    // io.k8s.api.resource.v1.DeviceCounterConsumption
    f(1212, L::String, S::List, 0, false, false, 0, 0, 0, 0), // compatibilityGroups
    f(1213, L::String, S::One, 0, true, true, 1, 0, 0, 0), // counterSet
    f(1176, L::Object, S::Map, 429, true, true, 2, 0, 0, 0), // counters
    // io.k8s.api.resource.v1.DeviceDerivedAttribute
    f(2, L::String, S::One, 0, true, true, 0, 0, 0, 0), // expression
    f(11, L::String, S::One, 0, true, true, 0, 0, 0, 0), // name
    // io.k8s.api.resource.v1.DeviceRequest
    f(1216, L::Object, S::One, 454, false, false, 2, 0, 0, 0), // exactly
    f(1217, L::Object, S::List, 447, false, false, 3, 0, 1, 0), // firstAvailable
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.resource.v1.DeviceRequestAllocationResult
    f(1219, L::Boolean, S::One, 0, false, true, 5, 0, 0, 0), // adminAccess
    f(1181, L::String, S::List, 0, false, false, 7, 0, 1, 0), // bindingConditions
    f(1182, L::String, S::List, 0, false, false, 8, 0, 1, 0), // bindingFailureConditions
    f(1220, L::Quantity, S::Map, 0, false, false, 10, 0, 0, 0), // consumedCapacity
    f(1161, L::String, S::One, 0, true, true, 4, 0, 0, 0), // device
    f(401, L::String, S::One, 0, true, true, 2, 0, 0, 0), // driver
    f(873, L::String, S::One, 0, true, true, 3, 0, 0, 0), // pool
    f(339, L::String, S::One, 0, true, true, 1, 0, 0, 0), // request
    f(1163, L::String, S::One, 0, false, true, 9, 0, 0, 0), // shareID
    f(1221, L::String, S::List, 0, false, false, 0, 0, 0, 0), // skipNodeOperations
    f(833, L::Object, S::List, 453, false, false, 6, 0, 1, 0), // tolerations
    // io.k8s.api.resource.v1.DeviceSelector
    f(1223, L::Object, S::One, 425, false, false, 1, 0, 0, 0), // cel
    // io.k8s.api.resource.v1.DeviceSubRequest
    f(1225, L::String, S::One, 0, false, false, 4, 0, 0, 0), // allocationMode
    f(686, L::Object, S::One, 428, false, false, 7, 0, 0, 0), // capacity
    f(535, L::Int64, S::One, 0, false, false, 5, 0, 0, 0), // count
    f(1226, L::Object, S::List, 443, false, false, 0, 0, 0, 0), // derivedAttributes
    f(1227, L::String, S::One, 0, true, true, 2, 0, 0, 0), // deviceClassName
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(1207, L::Object, S::List, 446, false, false, 3, 0, 1, 0), // selectors
    f(833, L::Object, S::List, 453, false, false, 6, 0, 1, 0), // tolerations
    // io.k8s.api.resource.v1.DeviceTaint
    f(967, L::String, S::One, 0, true, true, 3, 0, 0, 0), // effect
    f(4, L::String, S::One, 0, true, true, 1, 0, 0, 0), // key
    f(968, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // timeAdded
    f(239, L::String, S::One, 0, false, false, 2, 0, 0, 0), // value
    // io.k8s.api.resource.v1.DeviceTaintRule
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 450, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 451, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.resource.v1.DeviceTaintRuleSpec
    f(1231, L::Object, S::One, 452, false, false, 1, 0, 0, 0), // deviceSelector
    f(1232, L::Object, S::One, 448, true, true, 2, 0, 0, 0), // taint
    // io.k8s.api.resource.v1.DeviceTaintRuleStatus
    f(75, L::Object, S::List, 529, false, false, 1, 0, 5, 0), // conditions
    // io.k8s.api.resource.v1.DeviceTaintSelector
    f(1161, L::String, S::One, 0, false, true, 4, 0, 0, 0), // device
    f(401, L::String, S::One, 0, false, true, 2, 0, 0, 0), // driver
    f(873, L::String, S::One, 0, false, true, 3, 0, 0, 0), // pool
    // io.k8s.api.resource.v1.DeviceToleration
    f(967, L::String, S::One, 0, false, false, 4, 0, 0, 0), // effect
    f(4, L::String, S::One, 0, false, false, 1, 0, 0, 0), // key
    f(324, L::String, S::One, 0, false, false, 2, 0, 0, 1236), // operator
    f(970, L::Int64, S::One, 0, false, true, 5, 0, 0, 0), // tolerationSeconds
    f(239, L::String, S::One, 0, false, false, 3, 0, 0, 0), // value
    // io.k8s.api.resource.v1.ExactDeviceRequest
    f(1219, L::Boolean, S::One, 0, false, true, 5, 0, 0, 0), // adminAccess
    f(1225, L::String, S::One, 0, false, false, 3, 0, 0, 0), // allocationMode
    f(686, L::Object, S::One, 428, false, false, 7, 0, 0, 0), // capacity
    f(535, L::Int64, S::One, 0, false, false, 4, 0, 0, 0), // count
    f(1226, L::Object, S::List, 443, false, false, 0, 0, 0, 0), // derivedAttributes
    f(1227, L::String, S::One, 0, true, true, 1, 0, 0, 0), // deviceClassName
    f(1207, L::Object, S::List, 446, false, false, 2, 0, 1, 0), // selectors
    f(833, L::Object, S::List, 453, false, false, 6, 0, 1, 0), // tolerations
    // io.k8s.api.resource.v1.NetworkDeviceData
    f(1239, L::String, S::One, 0, false, false, 3, 0, 0, 0), // hardwareAddress
    f(1240, L::String, S::One, 0, false, false, 1, 0, 0, 0), // interfaceName
    f(1241, L::String, S::List, 0, false, false, 2, 0, 1, 0), // ips
    // io.k8s.api.resource.v1.NodeAllocatableMapping
    f(1243, L::String, S::One, 0, false, true, 0, 0, 0, 0), // capacityKey
    f(1244, L::Quantity, S::One, 0, false, false, 0, 0, 0, 0), // capacityMultiplier
    f(1245, L::Quantity, S::One, 0, false, false, 0, 0, 0, 0), // deviceMultiplier
    // io.k8s.api.resource.v1.NodeAllocatableOverhead
    f(644, L::Quantity, S::One, 0, false, false, 0, 0, 0, 0), // perContainer
    f(645, L::Quantity, S::One, 0, false, false, 0, 0, 0, 0), // perPod
    // io.k8s.api.resource.v1.NodeAllocatableResource
    f(648, L::Object, S::One, 456, false, false, 0, 0, 0, 0), // mapping
    f(649, L::Object, S::One, 457, false, false, 0, 0, 0, 0), // overhead
    // io.k8s.api.resource.v1.OpaqueDeviceConfiguration
    f(401, L::String, S::One, 0, true, true, 1, 0, 0, 0), // driver
    f(1098, L::Any, S::One, 0, true, true, 2, 0, 0, 0), // parameters
    // io.k8s.api.resource.v1.ResourceClaim
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 462, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 463, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.resource.v1.ResourceClaimConsumerReference
    f(981, L::String, S::One, 0, false, false, 1, 0, 0, 0), // apiGroup
    f(11, L::String, S::One, 0, true, true, 4, 0, 0, 0), // name
    f(194, L::String, S::One, 0, true, true, 3, 0, 0, 0), // resource
    f(157, L::String, S::One, 0, true, true, 5, 0, 0, 0), // uid
    // io.k8s.api.resource.v1.ResourceClaimSpec
    f(1166, L::Object, S::One, 436, false, false, 1, 0, 0, 0), // devices
    // io.k8s.api.resource.v1.ResourceClaimStatus
    f(1253, L::Object, S::One, 424, false, false, 1, 0, 0, 0), // allocation
    f(1166, L::Object, S::List, 423, false, false, 4, 0, 20, 0), // devices
    f(1254, L::Object, S::List, 461, false, false, 2, 0, 21, 0), // reservedFor
    // io.k8s.api.resource.v1.ResourceClaimTemplate
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 465, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.resource.v1.ResourceClaimTemplateSpec
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 462, false, false, 2, 0, 0, 0), // spec
    // io.k8s.api.resource.v1.ResourcePool
    f(1258, L::Int64, S::One, 0, true, true, 2, 0, 0, 0), // generation
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(1259, L::Int64, S::One, 0, true, true, 3, 0, 0, 0), // resourceSliceCount
    // io.k8s.api.resource.v1.ResourceSlice
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 468, true, true, 2, 0, 0, 0), // spec
    // io.k8s.api.resource.v1.ResourceSliceSpec
    f(1178, L::Boolean, S::One, 0, false, true, 5, 0, 0, 0), // allNodes
    f(1166, L::Object, S::List, 431, false, false, 6, 0, 1, 0), // devices
    f(401, L::String, S::One, 0, true, true, 1, 0, 0, 0), // driver
    f(351, L::String, S::One, 0, false, true, 3, 0, 0, 0), // nodeName
    f(819, L::Object, S::One, 243, false, false, 4, 0, 0, 0), // nodeSelector
    f(1262, L::String, S::One, 0, false, true, 0, 0, 0, 0), // partitionTypeAttribute
    f(1263, L::Boolean, S::One, 0, false, true, 7, 0, 0, 0), // perDeviceNodeSelection
    f(873, L::Object, S::One, 466, true, true, 2, 0, 0, 0), // pool
    f(1264, L::Object, S::List, 430, false, false, 8, 0, 1, 0), // sharedCounters
    f(1221, L::String, S::List, 0, false, false, 0, 0, 0, 0), // skipNodeOperations
    // io.k8s.api.scheduling.v1.PriorityClass
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(1266, L::String, S::One, 0, false, false, 4, 0, 0, 0), // description
    f(1267, L::Boolean, S::One, 0, false, false, 3, 0, 0, 0), // globalDefault
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(821, L::String, S::One, 0, false, true, 5, 0, 0, 0), // preemptionPolicy
    f(239, L::Int32, S::One, 0, false, true, 2, 0, 0, 0), // value
    // io.k8s.api.scheduling.v1alpha3.TopologyConstraint
    f(4, L::String, S::One, 0, true, true, 0, 0, 0, 0), // key
    // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupAllDisruptionMode
    // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupBasicSchedulingPolicy
    // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupDisruptionMode
    f(1272, L::Object, S::One, 471, false, false, 0, 0, 0, 0), // all
    f(1273, L::Object, S::One, 478, false, false, 0, 0, 0, 0), // single
    // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupGangSchedulingPolicy
    f(1275, L::Int32, S::One, 0, false, false, 0, 0, 0, 0), // minCount
    // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupResourceClaim
    f(11, L::String, S::One, 0, true, true, 0, 0, 0, 0), // name
    f(650, L::String, S::One, 0, false, true, 0, 0, 0, 0), // resourceClaimName
    f(786, L::String, S::One, 0, false, true, 0, 0, 0, 0), // resourceClaimTemplateName
    // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingConstraints
    f(1278, L::Object, S::List, 470, false, false, 0, 0, 0, 0), // topology
    // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy
    f(1280, L::Object, S::One, 472, false, false, 0, 0, 0, 0), // basic
    f(1281, L::Object, S::One, 474, false, false, 0, 0, 0, 0), // gang
    // io.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSingleDisruptionMode
    // io.k8s.api.storage.v1.CSIDriver
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, true, true, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 480, true, true, 2, 0, 0, 0), // spec
    // io.k8s.api.storage.v1.CSIDriverSpec
    f(1285, L::Boolean, S::One, 0, false, true, 1, 0, 0, 0), // attachRequired
    f(1286, L::String, S::One, 0, false, true, 5, 0, 0, 0), // fsGroupPolicy
    f(1287, L::Int64, S::One, 0, false, true, 9, 0, 0, 0), // nodeAllocatableUpdatePeriodSeconds
    f(1288, L::Boolean, S::One, 0, false, true, 2, 0, 0, 0), // podInfoOnMount
    f(1289, L::Boolean, S::One, 0, false, true, 11, 0, 0, 0), // preventPodSchedulingIfMissing
    f(1290, L::Boolean, S::One, 0, false, true, 7, 0, 0, 0), // requiresRepublish
    f(1291, L::Boolean, S::One, 0, false, true, 8, 0, 0, 0), // seLinuxMount
    f(1292, L::Boolean, S::One, 0, false, true, 10, 0, 0, 0), // serviceAccountTokenInSecrets
    f(1293, L::Boolean, S::One, 0, false, true, 4, 0, 0, 0), // storageCapacity
    f(1294, L::Object, S::List, 489, false, false, 6, 0, 1, 0), // tokenRequests
    f(1295, L::String, S::List, 0, false, false, 3, 0, 3, 0), // volumeLifecycleModes
    // io.k8s.api.storage.v1.CSINode
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, true, true, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 483, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 484, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.storage.v1.CSINodeDriver
    f(685, L::Object, S::One, 496, false, false, 4, 0, 0, 0), // allocatable
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(1298, L::String, S::One, 0, true, true, 2, 0, 0, 0), // nodeID
    f(1299, L::String, S::List, 0, false, false, 3, 0, 1, 0), // topologyKeys
    // io.k8s.api.storage.v1.CSINodeSpec
    f(1301, L::Object, S::List, 482, true, true, 1, 0, 2, 0), // drivers
    // io.k8s.api.storage.v1.CSINodeStatus
    f(1303, L::Object, S::List, 487, false, false, 1, 0, 0, 0), // storageHealth
    // io.k8s.api.storage.v1.CSIStorageCapacity
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(686, L::Quantity, S::One, 0, false, false, 4, 0, 0, 0), // capacity
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(1305, L::Quantity, S::One, 0, false, false, 5, 0, 0, 0), // maximumVolumeSize
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(1306, L::Object, S::One, 535, false, false, 2, 0, 0, 0), // nodeTopology
    f(719, L::String, S::One, 0, true, true, 3, 0, 0, 0), // storageClassName
    // io.k8s.api.storage.v1.StorageClass
    f(1308, L::Boolean, S::One, 0, false, true, 6, 0, 0, 0), // allowVolumeExpansion
    f(1309, L::Object, S::List, 332, false, false, 8, 0, 1, 0), // allowedTopologies
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(746, L::String, S::List, 0, false, false, 5, 0, 1, 0), // mountOptions
    f(1098, L::String, S::Map, 0, false, false, 3, 0, 0, 0), // parameters
    f(1310, L::String, S::One, 0, true, true, 2, 0, 0, 0), // provisioner
    f(1311, L::String, S::One, 0, false, true, 4, 0, 0, 0), // reclaimPolicy
    f(1312, L::String, S::One, 0, false, true, 7, 0, 0, 0), // volumeBindingMode
    // io.k8s.api.storage.v1.StorageHealth
    f(853, L::Object, S::List, 488, false, false, 2, 0, 0, 0), // healthConditions
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    // io.k8s.api.storage.v1.StorageHealthCondition
    f(1315, L::String, S::One, 0, false, true, 4, 0, 0, 0), // accessMode
    f(94, L::Time, S::One, 0, false, false, 6, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 3, 0, 0, 0), // message
    f(83, L::String, S::One, 0, true, true, 2, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 1, 0, 0, 0), // status
    f(721, L::String, S::One, 0, false, true, 5, 0, 0, 0), // volumeMode
    // io.k8s.api.storage.v1.TokenRequest
    f(933, L::String, S::One, 0, true, true, 1, 0, 0, 0), // audience
    f(166, L::Int64, S::One, 0, false, true, 2, 0, 0, 0), // expirationSeconds
    // io.k8s.api.storage.v1.VolumeAttachment
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 492, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 493, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.storage.v1.VolumeAttachmentSource
    f(1319, L::Object, S::One, 259, false, false, 2, 0, 0, 0), // inlineVolumeSpec
    f(1320, L::String, S::One, 0, false, true, 1, 0, 0, 0), // persistentVolumeName
    // io.k8s.api.storage.v1.VolumeAttachmentSpec
    f(1322, L::String, S::One, 0, true, true, 1, 0, 0, 0), // attacher
    f(351, L::String, S::One, 0, true, true, 3, 0, 0, 0), // nodeName
    f(544, L::Object, S::One, 491, true, true, 2, 0, 0, 0), // source
    // io.k8s.api.storage.v1.VolumeAttachmentStatus
    f(1324, L::Object, S::One, 495, false, false, 3, 0, 0, 0), // attachError
    f(1325, L::Boolean, S::One, 0, true, true, 1, 0, 0, 0), // attached
    f(1326, L::String, S::Map, 0, false, false, 2, 0, 0, 0), // attachmentMetadata
    f(1327, L::Object, S::One, 495, false, false, 4, 0, 0, 0), // detachError
    // io.k8s.api.storage.v1.VolumeAttributesClass
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(1329, L::String, S::One, 0, true, true, 2, 0, 0, 0), // driverName
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(1098, L::String, S::Map, 0, false, false, 3, 0, 0, 0), // parameters
    // io.k8s.api.storage.v1.VolumeError
    f(1331, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // errorCode
    f(81, L::String, S::One, 0, false, false, 2, 0, 0, 0), // message
    f(1332, L::Time, S::One, 0, false, false, 1, 0, 0, 0), // time
    // io.k8s.api.storage.v1.VolumeNodeResources
    f(535, L::Int32, S::One, 0, false, true, 1, 0, 0, 0), // count
    // io.k8s.api.storagemigration.v1.StorageVersionMigration
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 498, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 499, false, false, 3, 0, 0, 0), // status
    // io.k8s.api.storagemigration.v1.StorageVersionMigrationSpec
    f(194, L::Object, S::One, 533, true, true, 1, 0, 0, 0), // resource
    // io.k8s.api.storagemigration.v1.StorageVersionMigrationStatus
    f(75, L::Object, S::List, 529, false, false, 1, 0, 5, 0), // conditions
    f(431, L::String, S::One, 0, false, false, 2, 0, 0, 0), // resourceVersion
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceColumnDefinition
    f(1266, L::String, S::One, 0, false, false, 4, 0, 0, 0), // description
    f(1338, L::String, S::One, 0, false, false, 3, 0, 0, 0), // format
    f(1339, L::String, S::One, 0, true, true, 6, 0, 0, 0), // jsonPath
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(551, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // priority
    f(95, L::String, S::One, 0, true, true, 2, 0, 0, 0), // type
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceConversion
    f(119, L::String, S::One, 0, true, true, 1, 0, 0, 0), // strategy
    f(1341, L::Object, S::One, 522, false, false, 2, 0, 0, 0), // webhook
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 505, true, true, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 506, false, false, 3, 0, 0, 0), // status
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(76, L::Int64, S::One, 0, false, false, 6, 0, 0, 0), // observedGeneration
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionNames
    f(1345, L::String, S::List, 0, false, false, 6, 0, 1, 0), // categories
    f(20, L::String, S::One, 0, true, true, 4, 0, 0, 0), // kind
    f(1346, L::String, S::One, 0, false, false, 5, 0, 0, 0), // listKind
    f(1347, L::String, S::One, 0, true, true, 1, 0, 0, 0), // plural
    f(1348, L::String, S::List, 0, false, false, 3, 0, 1, 0), // shortNames
    f(1349, L::String, S::One, 0, false, false, 2, 0, 0, 0), // singular
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpec
    f(1351, L::Object, S::One, 501, false, false, 9, 0, 0, 0), // conversion
    f(192, L::String, S::One, 0, true, true, 1, 0, 0, 0), // group
    f(465, L::Object, S::One, 504, true, true, 3, 0, 0, 0), // names
    f(1352, L::Boolean, S::One, 0, false, false, 10, 0, 0, 0), // preserveUnknownFields
    f(54, L::String, S::One, 0, true, true, 4, 0, 0, 0), // scope
    f(1197, L::Object, S::List, 507, true, true, 7, 0, 1, 0), // versions
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatus
    f(1354, L::Object, S::One, 504, false, false, 2, 0, 0, 0), // acceptedNames
    f(75, L::Object, S::List, 503, false, false, 1, 0, 4, 0), // conditions
    f(76, L::Int64, S::One, 0, false, false, 4, 0, 0, 0), // observedGeneration
    f(1355, L::String, S::List, 0, false, false, 3, 0, 1, 0), // storedVersions
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersion
    f(1357, L::Object, S::List, 500, false, false, 6, 0, 1, 0), // additionalPrinterColumns
    f(1358, L::Boolean, S::One, 0, false, false, 7, 0, 0, 0), // deprecated
    f(1359, L::String, S::One, 0, false, true, 8, 0, 0, 0), // deprecationWarning
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(1360, L::Object, S::One, 511, false, false, 4, 0, 0, 0), // schema
    f(1361, L::Object, S::List, 518, false, false, 9, 0, 1, 0), // selectableFields
    f(1362, L::Boolean, S::One, 0, true, true, 2, 0, 0, 0), // served
    f(1363, L::Boolean, S::One, 0, true, true, 3, 0, 0, 0), // storage
    f(1364, L::Object, S::One, 510, false, false, 5, 0, 0, 0), // subresources
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceScale
    f(1366, L::String, S::One, 0, false, true, 3, 0, 0, 0), // labelSelectorPath
    f(1367, L::String, S::One, 0, true, true, 1, 0, 0, 0), // specReplicasPath
    f(1368, L::String, S::One, 0, true, true, 2, 0, 0, 0), // statusReplicasPath
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatus
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresources
    f(1371, L::Object, S::One, 508, false, false, 2, 0, 0, 0), // scale
    f(67, L::Object, S::One, 509, false, false, 1, 0, 0, 0), // status
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceValidation
    f(1373, L::Object, S::One, 514, false, false, 1, 0, 0, 0), // openAPIV3Schema
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ExternalDocumentation
    f(1266, L::String, S::One, 0, false, false, 1, 0, 0, 0), // description
    f(88, L::String, S::One, 0, false, false, 2, 0, 0, 0), // url
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps
    f(1377, L::String, S::One, 0, false, true, 3, 0, 0, 0), // $ref
    f(1378, L::String, S::One, 0, false, false, 2, 0, 0, 0), // $schema
    f(1379, L::SchemaOrBool, S::One, 516, false, false, 33, 0, 0, 0), // additionalItems
    f(1380, L::SchemaOrBool, S::One, 516, false, false, 30, 0, 0, 0), // additionalProperties
    f(1381, L::Object, S::List, 514, false, false, 25, 0, 1, 0), // allOf
    f(1382, L::Object, S::List, 514, false, false, 27, 0, 1, 0), // anyOf
    f(609, L::Any, S::One, 0, false, false, 8, 0, 0, 0), // default
    f(1383, L::Object, S::Map, 514, false, false, 34, 0, 0, 0), // definitions
    f(1384, L::SchemaOrStrings, S::Map, 517, false, false, 32, 0, 0, 0), // dependencies
    f(1266, L::String, S::One, 0, false, false, 4, 0, 0, 0), // description
    f(1385, L::Any, S::List, 0, false, false, 20, 0, 1, 0), // enum
    f(1386, L::Any, S::One, 0, false, false, 36, 0, 0, 0), // example
    f(1387, L::Boolean, S::One, 0, false, false, 10, 0, 0, 0), // exclusiveMaximum
    f(1388, L::Boolean, S::One, 0, false, false, 12, 0, 0, 0), // exclusiveMinimum
    f(1389, L::Object, S::One, 512, false, false, 35, 0, 0, 0), // externalDocs
    f(1338, L::String, S::One, 0, false, false, 6, 0, 0, 0), // format
    f(1390, L::String, S::One, 0, false, false, 1, 0, 0, 0), // id
    f(433, L::SchemaOrArray, S::One, 515, false, false, 24, 0, 0, 0), // items
    f(1391, L::Int64, S::One, 0, false, true, 16, 0, 0, 0), // maxItems
    f(1392, L::Int64, S::One, 0, false, true, 13, 0, 0, 0), // maxLength
    f(1393, L::Int64, S::One, 0, false, true, 21, 0, 0, 0), // maxProperties
    f(1394, L::Double, S::One, 0, false, true, 9, 0, 0, 0), // maximum
    f(1395, L::Int64, S::One, 0, false, true, 17, 0, 0, 0), // minItems
    f(1396, L::Int64, S::One, 0, false, true, 14, 0, 0, 0), // minLength
    f(1397, L::Int64, S::One, 0, false, true, 22, 0, 0, 0), // minProperties
    f(1398, L::Double, S::One, 0, false, true, 11, 0, 0, 0), // minimum
    f(1399, L::Double, S::One, 0, false, true, 19, 0, 0, 0), // multipleOf
    f(1400, L::Object, S::One, 514, false, false, 28, 0, 0, 0), // not
    f(1401, L::Boolean, S::One, 0, false, false, 37, 0, 0, 0), // nullable
    f(1402, L::Object, S::List, 514, false, false, 26, 0, 1, 0), // oneOf
    f(1403, L::String, S::One, 0, false, false, 15, 0, 0, 0), // pattern
    f(1404, L::Object, S::Map, 514, false, false, 31, 0, 0, 0), // patternProperties
    f(1405, L::Object, S::Map, 514, false, false, 29, 0, 0, 0), // properties
    f(1004, L::String, S::List, 0, false, false, 23, 0, 1, 0), // required
    f(1406, L::String, S::One, 0, false, false, 7, 0, 0, 0), // title
    f(95, L::String, S::One, 0, false, false, 5, 0, 0, 0), // type
    f(1407, L::Boolean, S::One, 0, false, false, 18, 0, 0, 0), // uniqueItems
    f(1408, L::Boolean, S::One, 0, false, false, 39, 0, 0, 0), // x-kubernetes-embedded-resource
    f(1409, L::Boolean, S::One, 0, false, false, 40, 0, 0, 0), // x-kubernetes-int-or-string
    f(1410, L::String, S::List, 0, false, false, 41, 0, 1, 0), // x-kubernetes-list-map-keys
    f(1411, L::String, S::One, 0, false, true, 42, 0, 0, 0), // x-kubernetes-list-type
    f(1412, L::String, S::One, 0, false, true, 43, 0, 0, 0), // x-kubernetes-map-type
    f(1413, L::Boolean, S::One, 0, false, true, 38, 0, 0, 0), // x-kubernetes-preserve-unknown-fields
    f(1414, L::Object, S::List, 520, false, false, 44, 0, 22, 0), // x-kubernetes-validations
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.SelectableField
    f(1339, L::String, S::One, 0, true, true, 1, 0, 0, 0), // jsonPath
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference
    f(11, L::String, S::One, 0, true, true, 2, 0, 0, 0), // name
    f(57, L::String, S::One, 0, true, true, 1, 0, 0, 0), // namespace
    f(62, L::String, S::One, 0, false, true, 3, 0, 0, 0), // path
    f(63, L::Int32, S::One, 0, false, true, 4, 0, 0, 0), // port
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRule
    f(710, L::String, S::One, 0, false, false, 5, 0, 0, 0), // fieldPath
    f(81, L::String, S::One, 0, false, false, 2, 0, 0, 0), // message
    f(82, L::String, S::One, 0, false, false, 3, 0, 0, 0), // messageExpression
    f(1421, L::Boolean, S::One, 0, false, true, 6, 0, 0, 0), // optionalOldSelf
    f(83, L::String, S::One, 0, false, true, 4, 0, 0, 0), // reason
    f(1422, L::String, S::One, 0, true, true, 1, 0, 0, 0), // rule
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookClientConfig
    f(86, L::Bytes, S::One, 0, false, false, 2, 0, 0, 0), // caBundle
    f(87, L::Object, S::One, 519, false, false, 1, 0, 0, 0), // service
    f(88, L::String, S::One, 0, false, true, 3, 0, 0, 0), // url
    // io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookConversion
    f(38, L::Object, S::One, 521, false, false, 2, 0, 0, 0), // clientConfig
    f(1425, L::String, S::List, 0, true, true, 3, 0, 1, 0), // conversionReviewVersions
    // io.k8s.apimachinery.pkg.api.resource.Quantity
    // io.k8s.apimachinery.pkg.apis.meta.v1.APIGroup
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(1428, L::Object, S::One, 534, false, false, 3, 0, 0, 0), // preferredVersion
    f(1429, L::Object, S::List, 543, false, false, 4, 0, 1, 0), // serverAddressByClientCIDRs
    f(1197, L::Object, S::List, 534, true, true, 2, 0, 1, 0), // versions
    // io.k8s.apimachinery.pkg.apis.meta.v1.APIGroupList
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(178, L::Object, S::List, 524, true, true, 1, 0, 1, 0), // groups
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    // io.k8s.apimachinery.pkg.apis.meta.v1.APIResource
    f(1345, L::String, S::List, 0, false, false, 7, 0, 1, 0), // categories
    f(192, L::String, S::One, 0, false, false, 8, 0, 0, 0), // group
    f(20, L::String, S::One, 0, true, true, 3, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 1, 0, 0, 0), // name
    f(1432, L::Boolean, S::One, 0, true, true, 2, 0, 0, 0), // namespaced
    f(1348, L::String, S::List, 0, false, false, 5, 0, 1, 0), // shortNames
    f(1433, L::String, S::One, 0, true, true, 6, 0, 0, 0), // singularName
    f(1434, L::String, S::One, 0, false, false, 10, 0, 0, 0), // storageVersionHash
    f(189, L::String, S::List, 0, true, true, 4, 0, 0, 0), // verbs
    f(196, L::String, S::One, 0, false, false, 9, 0, 0, 0), // version
    // io.k8s.apimachinery.pkg.apis.meta.v1.APIResourceList
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(1436, L::String, S::One, 0, true, true, 1, 0, 0, 0), // groupVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(53, L::Object, S::List, 526, true, true, 2, 0, 1, 0), // resources
    // io.k8s.apimachinery.pkg.apis.meta.v1.APIVersions
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(1429, L::Object, S::List, 543, true, true, 2, 0, 1, 0), // serverAddressByClientCIDRs
    f(1197, L::String, S::List, 0, true, true, 1, 0, 1, 0), // versions
    // io.k8s.apimachinery.pkg.apis.meta.v1.Condition
    f(94, L::Time, S::One, 0, true, true, 4, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, true, true, 6, 0, 0, 0), // message
    f(76, L::Int64, S::One, 0, false, false, 3, 0, 0, 0), // observedGeneration
    f(83, L::String, S::One, 0, true, true, 5, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(1440, L::String, S::List, 0, false, false, 5, 0, 1, 0), // dryRun
    f(1441, L::Int64, S::One, 0, false, true, 1, 0, 0, 0), // gracePeriodSeconds
    f(1442, L::Boolean, S::One, 0, false, true, 6, 0, 0, 0), // ignoreStoreReadErrorWithClusterBreakingPotential
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(1443, L::Boolean, S::One, 0, false, true, 3, 0, 0, 0), // orphanDependents
    f(1444, L::Object, S::One, 542, false, false, 2, 0, 0, 0), // preconditions
    f(1445, L::String, S::One, 0, false, true, 4, 0, 0, 0), // propagationPolicy
    // io.k8s.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirement
    f(4, L::String, S::One, 0, true, true, 1, 0, 0, 0), // key
    f(324, L::String, S::One, 0, true, true, 2, 0, 0, 0), // operator
    f(325, L::String, S::List, 0, false, false, 3, 0, 1, 0), // values
    // io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1
    // io.k8s.apimachinery.pkg.apis.meta.v1.GroupResource
    f(192, L::String, S::One, 0, true, true, 1, 0, 0, 0), // group
    f(194, L::String, S::One, 0, true, true, 2, 0, 0, 0), // resource
    // io.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionForDiscovery
    f(1436, L::String, S::One, 0, true, true, 1, 0, 0, 0), // groupVersion
    f(196, L::String, S::One, 0, true, true, 2, 0, 0, 0), // version
    // io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector
    f(673, L::Object, S::List, 536, false, false, 2, 0, 1, 0), // matchExpressions
    f(1451, L::String, S::Map, 0, false, false, 1, 0, 0, 0), // matchLabels
    // io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirement
    f(4, L::String, S::One, 0, true, true, 1, 0, 0, 0), // key
    f(324, L::String, S::One, 0, true, true, 2, 0, 0, 0), // operator
    f(325, L::String, S::List, 0, false, false, 3, 0, 1, 0), // values
    // io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta
    f(1454, L::String, S::One, 0, false, false, 3, 0, 0, 0), // continue
    f(1455, L::Int64, S::One, 0, false, true, 4, 0, 0, 0), // remainingItemCount
    f(431, L::String, S::One, 0, false, false, 2, 0, 0, 0), // resourceVersion
    f(1456, L::String, S::One, 0, false, false, 1, 0, 0, 0), // selfLink
    f(1457, L::Object, S::One, 544, false, false, 5, 0, 0, 0), // shardInfo
    // io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry
    f(19, L::String, S::One, 0, false, false, 3, 0, 0, 0), // apiVersion
    f(1459, L::String, S::One, 0, false, false, 6, 0, 0, 0), // fieldsType
    f(1460, L::Any, S::One, 0, false, false, 7, 0, 0, 0), // fieldsV1
    f(1461, L::String, S::One, 0, false, false, 1, 0, 0, 0), // manager
    f(1462, L::String, S::One, 0, false, false, 2, 0, 0, 0), // operation
    f(195, L::String, S::One, 0, false, false, 8, 0, 0, 0), // subresource
    f(1332, L::Time, S::One, 0, false, false, 4, 0, 0, 0), // time
    // io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime
    // io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta
    f(1465, L::String, S::Map, 0, false, false, 12, 0, 0, 0), // annotations
    f(1466, L::Time, S::One, 0, false, false, 8, 0, 0, 0), // creationTimestamp
    f(1467, L::Int64, S::One, 0, false, true, 10, 0, 0, 0), // deletionGracePeriodSeconds
    f(1468, L::Time, S::One, 0, false, false, 9, 0, 0, 0), // deletionTimestamp
    f(632, L::String, S::List, 0, false, false, 14, 0, 11, 0), // finalizers
    f(1469, L::String, S::One, 0, false, false, 2, 0, 0, 0), // generateName
    f(1258, L::Int64, S::One, 0, false, false, 7, 0, 0, 0), // generation
    f(1470, L::String, S::Map, 0, false, false, 11, 0, 0, 0), // labels
    f(1471, L::Object, S::List, 538, false, false, 17, 0, 1, 0), // managedFields
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, false, 3, 0, 0, 0), // namespace
    f(1472, L::Object, S::List, 541, false, false, 13, 0, 21, 0), // ownerReferences
    f(431, L::String, S::One, 0, false, false, 6, 0, 0, 0), // resourceVersion
    f(1456, L::String, S::One, 0, false, false, 4, 0, 0, 0), // selfLink
    f(157, L::String, S::One, 0, false, false, 5, 0, 0, 0), // uid
    // io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference
    f(19, L::String, S::One, 0, true, true, 5, 0, 0, 0), // apiVersion
    f(1474, L::Boolean, S::One, 0, false, true, 7, 0, 0, 0), // blockOwnerDeletion
    f(1097, L::Boolean, S::One, 0, false, true, 6, 0, 0, 0), // controller
    f(20, L::String, S::One, 0, true, true, 1, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, true, true, 3, 0, 0, 0), // name
    f(157, L::String, S::One, 0, true, true, 4, 0, 0, 0), // uid
    // io.k8s.apimachinery.pkg.apis.meta.v1.Preconditions
    f(431, L::String, S::One, 0, false, true, 2, 0, 0, 0), // resourceVersion
    f(157, L::String, S::One, 0, false, true, 1, 0, 0, 0), // uid
    // io.k8s.apimachinery.pkg.apis.meta.v1.ServerAddressByClientCIDR
    f(1477, L::String, S::One, 0, true, true, 1, 0, 0, 0), // clientCIDR
    f(1478, L::String, S::One, 0, true, true, 2, 0, 0, 0), // serverAddress
    // io.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo
    f(59, L::String, S::One, 0, true, true, 1, 0, 0, 0), // selector
    // io.k8s.apimachinery.pkg.apis.meta.v1.Status
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(1481, L::Int32, S::One, 0, false, false, 6, 0, 0, 0), // code
    f(1482, L::Object, S::One, 547, false, false, 5, 0, 0, 0), // details
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(81, L::String, S::One, 0, false, false, 3, 0, 0, 0), // message
    f(21, L::Object, S::One, 537, false, false, 1, 0, 0, 0), // metadata
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, false, false, 2, 0, 0, 0), // status
    // io.k8s.apimachinery.pkg.apis.meta.v1.StatusCause
    f(1484, L::String, S::One, 0, false, false, 3, 0, 0, 0), // field
    f(81, L::String, S::One, 0, false, false, 2, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 1, 0, 0, 0), // reason
    // io.k8s.apimachinery.pkg.apis.meta.v1.StatusDetails
    f(1486, L::Object, S::List, 546, false, false, 4, 0, 1, 0), // causes
    f(192, L::String, S::One, 0, false, false, 2, 0, 0, 0), // group
    f(20, L::String, S::One, 0, false, false, 3, 0, 0, 0), // kind
    f(11, L::String, S::One, 0, false, false, 1, 0, 0, 0), // name
    f(1487, L::Int32, S::One, 0, false, false, 5, 0, 0, 0), // retryAfterSeconds
    f(157, L::String, S::One, 0, false, false, 6, 0, 0, 0), // uid
    // io.k8s.apimachinery.pkg.apis.meta.v1.Time
    // io.k8s.apimachinery.pkg.apis.meta.v1.WatchEvent
    f(259, L::Any, S::One, 0, true, true, 2, 0, 0, 0), // object
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.apimachinery.pkg.runtime.RawExtension
    // io.k8s.apimachinery.pkg.util.intstr.IntOrString
    // io.k8s.apimachinery.pkg.version.Info
    f(1493, L::String, S::One, 0, true, true, 0, 0, 0, 0), // buildDate
    f(1494, L::String, S::One, 0, true, true, 0, 0, 0, 0), // compiler
    f(1495, L::String, S::One, 0, false, false, 0, 0, 0, 0), // emulationMajor
    f(1496, L::String, S::One, 0, false, false, 0, 0, 0, 0), // emulationMinor
    f(1497, L::String, S::One, 0, true, true, 0, 0, 0, 0), // gitCommit
    f(1498, L::String, S::One, 0, true, true, 0, 0, 0, 0), // gitTreeState
    f(1499, L::String, S::One, 0, true, true, 0, 0, 0, 0), // gitVersion
    f(1500, L::String, S::One, 0, true, true, 0, 0, 0, 0), // goVersion
    f(1501, L::String, S::One, 0, true, true, 0, 0, 0, 0), // major
    f(1502, L::String, S::One, 0, false, false, 0, 0, 0, 0), // minCompatibilityMajor
    f(1503, L::String, S::One, 0, false, false, 0, 0, 0, 0), // minCompatibilityMinor
    f(1504, L::String, S::One, 0, true, true, 0, 0, 0, 0), // minor
    f(1505, L::String, S::One, 0, true, true, 0, 0, 0, 0), // platform
    // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService
    f(19, L::String, S::One, 0, false, false, 0, 0, 0, 0), // apiVersion
    f(20, L::String, S::One, 0, false, false, 0, 0, 0, 0), // kind
    f(21, L::Object, S::One, 540, false, false, 1, 0, 0, 0), // metadata
    f(22, L::Object, S::One, 555, false, false, 2, 0, 0, 0), // spec
    f(67, L::Object, S::One, 556, false, false, 3, 0, 0, 0), // status
    // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceCondition
    f(94, L::Time, S::One, 0, false, false, 3, 0, 0, 0), // lastTransitionTime
    f(81, L::String, S::One, 0, false, false, 5, 0, 0, 0), // message
    f(83, L::String, S::One, 0, false, false, 4, 0, 0, 0), // reason
    f(67, L::String, S::One, 0, true, true, 2, 0, 0, 0), // status
    f(95, L::String, S::One, 0, true, true, 1, 0, 0, 0), // type
    // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceSpec
    f(86, L::Bytes, S::One, 0, false, false, 5, 0, 1, 0), // caBundle
    f(192, L::String, S::One, 0, false, false, 2, 0, 0, 0), // group
    f(1509, L::Int32, S::One, 0, true, true, 7, 0, 0, 0), // groupPriorityMinimum
    f(1510, L::Boolean, S::One, 0, false, false, 4, 0, 0, 0), // insecureSkipTLSVerify
    f(87, L::Object, S::One, 557, false, false, 1, 0, 0, 0), // service
    f(196, L::String, S::One, 0, false, false, 3, 0, 0, 0), // version
    f(1511, L::Int32, S::One, 0, true, true, 8, 0, 0, 0), // versionPriority
    // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceStatus
    f(75, L::Object, S::List, 554, false, false, 1, 0, 5, 0), // conditions
    // io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference
    f(11, L::String, S::One, 0, false, true, 2, 0, 0, 0), // name
    f(57, L::String, S::One, 0, false, true, 1, 0, 0, 0), // namespace
    f(63, L::Int32, S::One, 0, false, true, 3, 0, 0, 0), // port
];

pub(super) static MERGING: [MergingRow; 23] = [
    m(0, [0, 0, 0, 0], 0, false, false),
    m(1, [0, 0, 0, 0], 0, false, false),
    m(3, [11, 0, 0, 0], 11, true, false),
    m(2, [0, 0, 0, 0], 0, false, false),
    m(3, [95, 0, 0, 0], 0, false, false),
    m(3, [95, 0, 0, 0], 95, true, false),
    m(0, [0, 0, 0, 0], 0, false, true),
    m(1, [0, 0, 0, 0], 95, true, false),
    m(3, [468, 471, 0, 0], 468, true, false),
    m(3, [383, 0, 0, 0], 383, true, false),
    m(3, [996, 0, 0, 0], 996, true, false),
    m(2, [0, 0, 0, 0], 0, true, false),
    m(4, [0, 0, 0, 0], 0, false, false),
    m(3, [512, 0, 0, 0], 512, true, false),
    m(3, [11, 0, 0, 0], 11, true, true),
    m(3, [766, 979, 0, 0], 766, true, false),
    m(1, [0, 0, 0, 0], 512, true, false),
    m(3, [11, 0, 0, 0], 0, false, false),
    m(3, [887, 0, 0, 0], 0, false, false),
    m(3, [63, 471, 0, 0], 63, true, false),
    m(3, [401, 1161, 873, 1163], 0, false, false),
    m(3, [157, 0, 0, 0], 157, true, false),
    m(3, [1422, 0, 0, 0], 1422, true, false),
];

pub(super) static NAME_ENDS: [u16; 1514] = [
    0, 54, 64, 115, 118, 133, 186, 194, 201, 246, 296, 300, 350, 370, 381, 398,
    412, 425, 484, 494, 498, 506, 510, 576, 646, 660, 668, 678, 741, 754, 769, 785,
    794, 803, 821, 830, 881, 904, 916, 921, 932, 946, 1010, 1018, 1062, 1080, 1089, 1098,
    1157, 1166, 1177, 1187, 1200, 1209, 1214, 1259, 1303, 1312, 1335, 1343, 1397, 1449, 1453, 1457,
    1505, 1523, 1584, 1590, 1658, 1730, 1747, 1812, 1828, 1839, 1906, 1916, 1934, 1946, 1999, 2065,
    2111, 2118, 2135, 2141, 2185, 2240, 2248, 2255, 2258, 2295, 2299, 2307, 2335, 2372, 2390, 2394,
    2426, 2441, 2461, 2469, 2483, 2517, 2531, 2553, 2575, 2590, 2608, 2619, 2636, 2658, 2700, 2713,
    2742, 2780, 2794, 2827, 2833, 2856, 2864, 2872, 2907, 2924, 2937, 2956, 2975, 2990, 3027, 3056,
    3094, 3127, 3162, 3182, 3223, 3231, 3245, 3287, 3338, 3347, 3377, 3416, 3454, 3459, 3525, 3536,
    3546, 3580, 3588, 3624, 3643, 3654, 3674, 3710, 3725, 3740, 3754, 3798, 3847, 3850, 3896, 3948,
    3956, 3997, 4042, 4054, 4063, 4077, 4094, 4141, 4160, 4165, 4205, 4249, 4295, 4308, 4313, 4317,
    4354, 4359, 4365, 4373, 4424, 4435, 4447, 4498, 4550, 4599, 4603, 4646, 4661, 4666, 4712, 4725,
    4730, 4743, 4751, 4762, 4769, 4809, 4860, 4915, 4936, 4954, 5004, 5058, 5105, 5156, 5209, 5216,
    5222, 5237, 5289, 5299, 5315, 5368, 5417, 5470, 5481, 5492, 5506, 5536, 5591, 5622, 5637, 5650,
    5681, 5716, 5717, 5754, 5809, 5818, 5824, 5879, 5886, 5939, 5985, 5991, 6037, 6079, 6092, 6097,
    6138, 6146, 6158, 6184, 6193, 6242, 6299, 6308, 6315, 6373, 6426, 6434, 6441, 6496, 6510, 6552,
    6588, 6605, 6613, 6619, 6623, 6661, 6699, 6717, 6729, 6772, 6816, 6831, 6875, 6917, 6959, 7005,
    7051, 7078, 7109, 7126, 7148, 7159, 7167, 7190, 7216, 7223, 7231, 7264, 7270, 7286, 7304, 7327,
    7359, 7372, 7418, 7432, 7446, 7467, 7483, 7510, 7531, 7543, 7563, 7577, 7588, 7597, 7611, 7627,
    7638, 7654, 7674, 7684, 7697, 7720, 7749, 7765, 7779, 7785, 7798, 7803, 7812, 7821, 7832, 7855,
    7890, 7926, 7984, 7997, 8005, 8011, 8069, 8109, 8115, 8126, 8141, 8174, 8211, 8225, 8241, 8284,
    8336, 8397, 8453, 8460, 8470, 8476, 8534, 8545, 8590, 8639, 8650, 8698, 8750, 8770, 8775, 8783,
    8790, 8797, 8803, 8821, 8838, 8855, 8880, 8934, 8948, 8964, 8972, 8981, 9013, 9049, 9060, 9074,
    9094, 9110, 9125, 9134, 9185, 9191, 9199, 9207, 9234, 9246, 9257, 9272, 9306, 9322, 9355, 9365,
    9405, 9416, 9450, 9458, 9465, 9471, 9495, 9500, 9550, 9560, 9575, 9584, 9624, 9650, 9694, 9719,
    9745, 9751, 9770, 9790, 9808, 9824, 9836, 9870, 9901, 9904, 9908, 9955, 9963, 9973, 9982, 10019,
    10066, 10103, 10136, 10183, 10191, 10228, 10262, 10290, 10300, 10309, 10346, 10348, 10387, 10431, 10447, 10462,
    10500, 10505, 10545, 10556, 10567, 10595, 10599, 10606, 10609, 10616, 10621, 10636, 10645, 10658, 10663, 10677,
    10689, 10702, 10720, 10735, 10747, 10752, 10761, 10783, 10807, 10810, 10823, 10835, 10845, 10896, 10907, 10919,
    10952, 10957, 10966, 10998, 11011, 11017, 11025, 11033, 11038, 11078, 11117, 11126, 11176, 11209, 11216, 11226,
    11233, 11273, 11282, 11325, 11336, 11344, 11354, 11360, 11400, 11434, 11452, 11476, 11483, 11492, 11504, 11511,
    11516, 11526, 11558, 11563, 11596, 11600, 11640, 11680, 11684, 11700, 11742, 11781, 11787, 11796, 11830, 11838,
    11840, 11849, 11880, 11891, 11924, 11933, 11950, 11978, 11985, 12017, 12029, 12035, 12060, 12069, 12100, 12115,
    12125, 12137, 12174, 12193, 12233, 12252, 12276, 12281, 12290, 12304, 12318, 12331, 12338, 12356, 12373, 12379,
    12385, 12415, 12431, 12461, 12470, 12474, 12510, 12518, 12547, 12580, 12583, 12593, 12598, 12632, 12642, 12687,
    12694, 12729, 12767, 12778, 12789, 12837, 12843, 12872, 12910, 12919, 12929, 12979, 12988, 13006, 13046, 13078,
    13089, 13095, 13124, 13152, 13161, 13186, 13225, 13271, 13288, 13303, 13316, 13319, 13333, 13342, 13349, 13361,
    13397, 13433, 13443, 13452, 13488, 13496, 13524, 13552, 13561, 13568, 13603, 13607, 13614, 13619, 13628, 13657,
    13690, 13697, 13711, 13714, 13734, 13737, 13770, 13776, 13813, 13816, 13834, 13872, 13878, 13915, 13922, 13961,
    13997, 14034, 14065, 14099, 14105, 14133, 14170, 14202, 14212, 14246, 14251, 14274, 14304, 14311, 14342, 14389,
    14435, 14484, 14492, 14543, 14555, 14561, 14614, 14624, 14631, 14639, 14656, 14688, 14705, 14740, 14749, 14784,
    14792, 14805, 14843, 14858, 14889, 14913, 14955, 14978, 15015, 15023, 15068, 15091, 15105, 15136, 15153, 15195,
    15230, 15246, 15257, 15284, 15296, 15306, 15313, 15321, 15340, 15350, 15356, 15369, 15398, 15409, 15417, 15423,
    15438, 15454, 15460, 15468, 15483, 15498, 15510, 15543, 15576, 15588, 15594, 15617, 15630, 15646, 15660, 15669,
    15684, 15691, 15713, 15717, 15727, 15765, 15774, 15808, 15843, 15883, 15932, 15976, 15987, 15997, 16010, 16026,
    16051, 16061, 16107, 16132, 16164, 16176, 16194, 16242, 16294, 16303, 16342, 16362, 16371, 16380, 16386, 16392,
    16400, 16403, 16405, 16415, 16422, 16439, 16448, 16456, 16461, 16466, 16478, 16481, 16510, 16530, 16544, 16551,
    16554, 16561, 16570, 16583, 16624, 16647, 16698, 16702, 16724, 16754, 16788, 16802, 16819, 16829, 16840, 16874,
    16917, 16937, 16957, 16964, 16971, 16986, 17017, 17048, 17059, 17067, 17104, 17153, 17168, 17192, 17216, 17251,
    17264, 17299, 17324, 17365, 17401, 17438, 17450, 17487, 17502, 17509, 17528, 17538, 17550, 17559, 17578, 17592,
    17606, 17613, 17627, 17653, 17661, 17689, 17698, 17707, 17725, 17744, 17762, 17773, 17780, 17791, 17798, 17807,
    17823, 17839, 17853, 17865, 17867, 17883, 17900, 17914, 17930, 17943, 17958, 17973, 17987, 18004, 18025, 18034,
    18063, 18074, 18099, 18106, 18134, 18151, 18177, 18204, 18211, 18232, 18268, 18285, 18290, 18296, 18304, 18310,
    18331, 18343, 18373, 18407, 18441, 18457, 18486, 18525, 18567, 18577, 18583, 18607, 18623, 18627, 18646, 18662,
    18702, 18709, 18747, 18755, 18761, 18767, 18811, 18818, 18837, 18841, 18846, 18853, 18887, 18927, 18976, 19020,
    19021, 19067, 19099, 19139, 19146, 19179, 19185, 19195, 19227, 19263, 19267, 19280, 19286, 19324, 19328, 19367,
    19373, 19381, 19414, 19447, 19452, 19456, 19504, 19509, 19516, 19532, 19542, 19553, 19570, 19581, 19587, 19625,
    19657, 19709, 19718, 19751, 19776, 19786, 19820, 19856, 19891, 19925, 19962, 19996, 20020, 20032, 20042, 20051,
    20073, 20099, 20132, 20139, 20187, 20195, 20225, 20233, 20243, 20273, 20302, 20311, 20321, 20332, 20344, 20365,
    20384, 20405, 20415, 20429, 20446, 20460, 20484, 20508, 20523, 20544, 20563, 20595, 20607, 20647, 20655, 20685,
    20692, 20742, 20757, 20797, 20822, 20856, 20880, 20886, 20895, 20924, 20941, 20992, 21031, 21052, 21095, 21102,
    21112, 21130, 21146, 21163, 21207, 21215, 21254, 21279, 21290, 21298, 21307, 21314, 21335, 21344, 21350, 21381,
    21421, 21458, 21488, 21504, 21513, 21529, 21546, 21553, 21564, 21600, 21612, 21649, 21657, 21692, 21710, 21724,
    21743, 21788, 21819, 21868, 21883, 21900, 21910, 21952, 21967, 22015, 22033, 22055, 22066, 22079, 22111, 22129,
    22134, 22138, 22180, 22187, 22224, 22232, 22240, 22276, 22313, 22324, 22355, 22386, 22412, 22427, 22451, 22474,
    22490, 22494, 22503, 22522, 22554, 22612, 22627, 22651, 22700, 22736, 22781, 22821, 22840, 22858, 22884, 22926,
    22964, 23003, 23010, 23069, 23090, 23103, 23150, 23199, 23207, 23259, 23320, 23381, 23437, 23443, 23450, 23508,
    23554, 23562, 23578, 23584, 23628, 23640, 23687, 23720, 23757, 23797, 23804, 23812, 23857, 23862, 23896, 23934,
    23943, 23975, 23979, 23985, 24017, 24056, 24093, 24149, 24190, 24200, 24210, 24261, 24311, 24353, 24389, 24393,
    24439, 24475, 24489, 24505, 24508, 24546, 24581, 24586, 24624, 24672, 24674, 24723, 24727, 24769, 24776, 24787,
    24829, 24836, 24878, 24884, 24895, 24935, 24978, 24984, 25020, 25060, 25065, 25107, 25134, 25142, 25173, 25180,
    25209, 25238, 25251, 25291, 25335, 25347, 25373, 25419, 25433, 25447, 25460, 25478, 25490, 25524, 25544, 25574,
    25589, 25626, 25633, 25662, 25685, 25715, 25741, 25767, 25811, 25817, 25828, 25835, 25874, 25893, 25900, 25940,
    25984, 25994, 26005, 26054, 26058, 26101, 26131, 26164, 26172, 26201, 26209, 26233, 26243, 26260, 26284, 26295,
    26311, 26335, 26387, 26393, 26438, 26445, 26483, 26487, 26492, 26495, 26499, 26505, 26512, 26520, 26557, 26570,
    26604, 26615, 26662, 26696, 26743, 26781, 26801, 26810, 26849, 26866, 26880, 26927, 26946, 26956, 27001, 27037,
    27044, 27058, 27110, 27121, 27137, 27155, 27192, 27195, 27234, 27248, 27265, 27280, 27314, 27352, 27394, 27408,
    27413, 27457, 27499, 27538, 27545, 27586, 27626, 27641, 27654, 27657, 27702, 27713, 27731, 27747, 27793, 27839,
    27887, 27923, 27976, 28016, 28058, 28068, 28079, 28123, 28171, 28206, 28216, 28234, 28270, 28310, 28332, 28354,
    28368, 28406, 28417, 28430, 28479, 28543, 28611, 28672, 28675, 28681, 28748, 28756, 28816, 28884, 28892, 28955,
    28960, 28964, 29031, 29062, 29097, 29111, 29124, 29158, 29172, 29201, 29218, 29230, 29258, 29273, 29286, 29306,
    29335, 29370, 29376, 29388, 29421, 29428, 29463, 29476, 29516, 29533, 29545, 29579, 29599, 29616, 29627, 29640,
    29657, 29692, 29736, 29746, 29780, 29818, 29862, 29878, 29898, 29940, 29948, 29992, 30003, 30011, 30029, 30040,
    30083, 30093, 30126, 30135, 30139, 30180, 30234, 30292, 30352, 30439, 30445, 30453, 30534, 30541, 30622, 30712,
    30798, 30808, 30816, 30822, 30832, 30840, 30925, 30935, 30956, 31043, 31056, 31070, 31158, 31182, 31192, 31210,
    31216, 31232, 31238, 31245, 31257, 31344, 31361, 31377, 31395, 31483, 31566, 31571, 31652, 31667, 31745, 31806,
    31878, 31882, 31889, 31904, 31924, 31929, 31934, 31945, 31957, 31961, 31968, 31984, 32000, 32012, 32014, 32022,
    32031, 32044, 32051, 32059, 32068, 32081, 32088, 32098, 32101, 32109, 32114, 32121, 32138, 32148, 32153, 32164,
    32194, 32220, 32246, 32268, 32289, 32325, 32349, 32428, 32506, 32591, 32663, 32736, 32807, 32822, 32826, 32902,
    32976, 33000, 33045, 33090, 33106, 33132, 33181, 33229, 33239, 33251, 33269, 33321, 33333, 33381, 33427, 33477,
    33483, 33501, 33549, 33565, 33578, 33595, 33656, 33701, 33751, 33812, 33862, 33873, 33934, 33979, 33987, 34005,
    34013, 34022, 34077, 34087, 34095, 34102, 34111, 34157, 34204, 34215, 34232, 34258, 34275, 34287, 34293, 34306,
    34321, 34372, 34390, 34440, 34502, 34512, 34525, 34571, 34614, 34618, 34625, 34673, 34678, 34728, 34734, 34751,
    34792, 34839, 34883, 34930, 34966, 34975, 34983, 34997, 35011, 35020, 35032, 35042, 35051, 35056, 35077, 35098,
    35103, 35111, 35172, 35242, 35307, 35327, 35348, 35363, 35430, 35497,
];

pub(super) static NAMES: &str = concat!(
    "io.k8s.api.admissionregistration.v1.ApplyConfigurationexpressionio.k8s.api.admissionregistration.v1.AuditAnnotationkeyvalueExpressionio.k8s.api.admissionregistration.v1.ExpressionWarningfieldRef",
    "warningio.k8s.api.admissionregistration.v1.JSONPatchio.k8s.api.admissionregistration.v1.MatchConditionnameio.k8s.api.admissionregistration.v1.MatchResourcesexcludeResourceRulesmatchPolicynamespaceSelector",
    "objectSelectorresourceRulesio.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyapiVersionkindmetadataspecio.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBinding",
    "io.k8s.api.admissionregistration.v1.MutatingAdmissionPolicyBindingSpecmatchResourcesparamRefpolicyNameio.k8s.api.admissionregistration.v1.MutatingAdmissionPolicySpecfailurePolicymatchConditionsmatchConstraints",
    "mutationsparamKindreinvocationPolicyvariablesio.k8s.api.admissionregistration.v1.MutatingWebhookadmissionReviewVersionsclientConfigrules",
    "sideEffectstimeoutSecondsio.k8s.api.admissionregistration.v1.MutatingWebhookConfigurationwebhooksio.k8s.api.admissionregistration.v1.MutationapplyConfigurationjsonPatchpatchType",
    "io.k8s.api.admissionregistration.v1.NamedRuleWithOperationsapiGroupsapiVersionsoperationsresourceNamesresourcesscopeio.k8s.api.admissionregistration.v1.ParamKind",
    "io.k8s.api.admissionregistration.v1.ParamRefnamespaceparameterNotFoundActionselectorio.k8s.api.admissionregistration.v1.RuleWithOperationsio.k8s.api.admissionregistration.v1.ServiceReferencepathport",
    "io.k8s.api.admissionregistration.v1.TypeCheckingexpressionWarningsio.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicystatusio.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingio.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyBindingSpecvalidationActionsio.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicySpec",
    "auditAnnotationsvalidationsio.k8s.api.admissionregistration.v1.ValidatingAdmissionPolicyStatusconditionsobservedGenerationtypeCheckingio.k8s.api.admissionregistration.v1.ValidatingWebhookio.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration",
    "io.k8s.api.admissionregistration.v1.ValidationmessagemessageExpressionreasonio.k8s.api.admissionregistration.v1.Variableio.k8s.api.admissionregistration.v1.WebhookClientConfigcaBundleservice",
    "urlio.k8s.api.apps.v1.ControllerRevisiondatarevisionio.k8s.api.apps.v1.DaemonSetio.k8s.api.apps.v1.DaemonSetConditionlastTransitionTimetype",
    "io.k8s.api.apps.v1.DaemonSetSpecminReadySecondsrevisionHistoryLimittemplateupdateStrategyio.k8s.api.apps.v1.DaemonSetStatuscollisionCountcurrentNumberScheduled",
    "desiredNumberSchedulednumberAvailablenumberMisschedulednumberReadynumberUnavailableupdatedNumberScheduledio.k8s.api.apps.v1.DaemonSetUpdateStrategyrollingUpdate",
    "io.k8s.api.apps.v1.Deploymentio.k8s.api.apps.v1.DeploymentConditionlastUpdateTimeio.k8s.api.apps.v1.DeploymentSpecpausedprogressDeadlineSecondsreplicasstrategy",
    "io.k8s.api.apps.v1.DeploymentStatusavailableReplicasreadyReplicasterminatingReplicasunavailableReplicasupdatedReplicasio.k8s.api.apps.v1.DeploymentStrategyio.k8s.api.apps.v1.ReplicaSet",
    "io.k8s.api.apps.v1.ReplicaSetConditionio.k8s.api.apps.v1.ReplicaSetSpecio.k8s.api.apps.v1.ReplicaSetStatusfullyLabeledReplicasio.k8s.api.apps.v1.RollingUpdateDaemonSetmaxSurgemaxUnavailableio.k8s.api.apps.v1.RollingUpdateDeployment",
    "io.k8s.api.apps.v1.RollingUpdateStatefulSetStrategypartitionio.k8s.api.apps.v1.StatefulSetio.k8s.api.apps.v1.StatefulSetConditionio.k8s.api.apps.v1.StatefulSetOrdinalsstartio.k8s.api.apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicywhenDeleted",
    "whenScaledio.k8s.api.apps.v1.StatefulSetSpecordinalspersistentVolumeClaimRetentionPolicypodManagementPolicyserviceNamevolumeClaimTemplatesio.k8s.api.apps.v1.StatefulSetStatus",
    "currentReplicascurrentRevisionupdateRevisionio.k8s.api.apps.v1.StatefulSetUpdateStrategyio.k8s.api.authentication.v1.BoundObjectReferenceuidio.k8s.api.authentication.v1.SelfSubjectReviewio.k8s.api.authentication.v1.SelfSubjectReviewStatus",
    "userInfoio.k8s.api.authentication.v1.TokenRequestio.k8s.api.authentication.v1.TokenRequestSpecattestationsaudiencesboundObjectRefexpirationSecondsio.k8s.api.authentication.v1.TokenRequestStatus",
    "expirationTimestamptokenio.k8s.api.authentication.v1.TokenReviewio.k8s.api.authentication.v1.TokenReviewSpecio.k8s.api.authentication.v1.TokenReviewStatusauthenticatederroruser",
    "io.k8s.api.authentication.v1.UserInfoextragroupsusernameio.k8s.api.authorization.v1.FieldSelectorAttributesrawSelectorrequirementsio.k8s.api.authorization.v1.LabelSelectorAttributes",
    "io.k8s.api.authorization.v1.LocalSubjectAccessReviewio.k8s.api.authorization.v1.NonResourceAttributesverbio.k8s.api.authorization.v1.NonResourceRulenonResourceURLsverbsio.k8s.api.authorization.v1.ResourceAttributesfieldSelector",
    "grouplabelSelectorresourcesubresourceversionio.k8s.api.authorization.v1.ResourceRuleio.k8s.api.authorization.v1.SelfSubjectAccessReviewio.k8s.api.authorization.v1.SelfSubjectAccessReviewSpec",
    "nonResourceAttributesresourceAttributesio.k8s.api.authorization.v1.SelfSubjectRulesReviewio.k8s.api.authorization.v1.SelfSubjectRulesReviewSpecio.k8s.api.authorization.v1.SubjectAccessReviewio.k8s.api.authorization.v1.SubjectAccessReviewSpecio.k8s.api.authorization.v1.SubjectAccessReviewStatusallowed",
    "deniedevaluationErrorio.k8s.api.authorization.v1.SubjectRulesReviewStatusincompletenonResourceRulesio.k8s.api.autoscaling.v1.CrossVersionObjectReferenceio.k8s.api.autoscaling.v1.HorizontalPodAutoscalerio.k8s.api.autoscaling.v1.HorizontalPodAutoscalerSpec",
    "maxReplicasminReplicasscaleTargetReftargetCPUUtilizationPercentageio.k8s.api.autoscaling.v1.HorizontalPodAutoscalerStatuscurrentCPUUtilizationPercentagedesiredReplicaslastScaleTime",
    "io.k8s.api.autoscaling.v1.Scaleio.k8s.api.autoscaling.v1.ScaleSpec0io.k8s.api.autoscaling.v1.ScaleStatusio.k8s.api.autoscaling.v2.ContainerResourceMetricSourcecontainertargetio.k8s.api.autoscaling.v2.ContainerResourceMetricStatus",
    "currentio.k8s.api.autoscaling.v2.CrossVersionObjectReferenceio.k8s.api.autoscaling.v2.ExternalMetricSourcemetricio.k8s.api.autoscaling.v2.ExternalMetricStatusio.k8s.api.autoscaling.v2.HPAScalingPolicyperiodSecondsvalue",
    "io.k8s.api.autoscaling.v2.HPAScalingRulespoliciesselectPolicystabilizationWindowSecondstoleranceio.k8s.api.autoscaling.v2.HorizontalPodAutoscalerio.k8s.api.autoscaling.v2.HorizontalPodAutoscalerBehaviorscaleDown",
    "scaleUpio.k8s.api.autoscaling.v2.HorizontalPodAutoscalerConditionio.k8s.api.autoscaling.v2.HorizontalPodAutoscalerSpecbehaviormetricsio.k8s.api.autoscaling.v2.HorizontalPodAutoscalerStatuscurrentMetricsio.k8s.api.autoscaling.v2.MetricIdentifier",
    "io.k8s.api.autoscaling.v2.MetricSpeccontainerResourceexternalobjectpodsio.k8s.api.autoscaling.v2.MetricStatusio.k8s.api.autoscaling.v2.MetricTargetaverageUtilization",
    "averageValueio.k8s.api.autoscaling.v2.MetricValueStatusio.k8s.api.autoscaling.v2.ObjectMetricSourcedescribedObjectio.k8s.api.autoscaling.v2.ObjectMetricStatusio.k8s.api.autoscaling.v2.PodsMetricSourceio.k8s.api.autoscaling.v2.PodsMetricStatusio.k8s.api.autoscaling.v2.ResourceMetricSource",
    "io.k8s.api.autoscaling.v2.ResourceMetricStatusio.k8s.api.batch.v1.CronJobio.k8s.api.batch.v1.CronJobSpecconcurrencyPolicyfailedJobsHistoryLimitjobTemplateschedulestartingDeadlineSeconds",
    "successfulJobsHistoryLimitsuspendtimeZoneio.k8s.api.batch.v1.CronJobStatusactivelastScheduleTimelastSuccessfulTimeio.k8s.api.batch.v1.Job",
    "io.k8s.api.batch.v1.JobConditionlastProbeTimeio.k8s.api.batch.v1.JobSchedulingConfigurationdisruptionModeresourceClaimsschedulingConstraintsschedulingPolicyio.k8s.api.batch.v1.JobSpec",
    "activeDeadlineSecondsbackoffLimitbackoffLimitPerIndexcompletionModecompletionsmanagedBymanualSelectormaxFailedIndexes",
    "parallelismpodFailurePolicypodReplacementPolicyschedulingsuccessPolicyttlSecondsAfterFinishedio.k8s.api.batch.v1.JobStatuscompletedIndexes",
    "completionTimefailedfailedIndexesreadystartTimesucceededterminatinguncountedTerminatedPods",
    "io.k8s.api.batch.v1.JobTemplateSpecio.k8s.api.batch.v1.PodFailurePolicyio.k8s.api.batch.v1.PodFailurePolicyOnExitCodesRequirementcontainerNameoperatorvaluesio.k8s.api.batch.v1.PodFailurePolicyOnPodConditionsPatternio.k8s.api.batch.v1.PodFailurePolicyRule",
    "actiononExitCodesonPodConditionsio.k8s.api.batch.v1.SuccessPolicyio.k8s.api.batch.v1.SuccessPolicyRulesucceededCountsucceededIndexesio.k8s.api.batch.v1.UncountedTerminatedPods",
    "io.k8s.api.certificates.v1.CertificateSigningRequestio.k8s.api.certificates.v1.CertificateSigningRequestConditionio.k8s.api.certificates.v1.CertificateSigningRequestSpecrequestsignerNameusagesio.k8s.api.certificates.v1.CertificateSigningRequestStatuscertificate",
    "io.k8s.api.certificates.v1.ClusterTrustBundleio.k8s.api.certificates.v1.ClusterTrustBundleSpectrustBundleio.k8s.api.certificates.v1.PodCertificateRequestio.k8s.api.certificates.v1.PodCertificateRequestSpecmaxExpirationSeconds86400nodeName",
    "nodeUIDpodNamepodUIDserviceAccountNameserviceAccountUIDstubPKCS10RequestunverifiedUserAnnotationsio.k8s.api.certificates.v1.PodCertificateRequestStatus",
    "beginRefreshAtcertificateChainnotAfternotBeforeio.k8s.api.coordination.v1.Leaseio.k8s.api.coordination.v1.LeaseSpecacquireTimeholderIdentity",
    "leaseDurationSecondsleaseTransitionspreferredHolderrenewTimeio.k8s.api.core.v1.AWSElasticBlockStoreVolumeSourcefsTypereadOnlyvolumeID",
    "io.k8s.api.core.v1.AffinitynodeAffinitypodAffinitypodAntiAffinityio.k8s.api.core.v1.AppArmorProfilelocalhostProfileio.k8s.api.core.v1.AttachedVolumedevicePath",
    "io.k8s.api.core.v1.AzureDiskVolumeSourcecachingModeref(AzureDataDiskCachingReadWrite)diskNamediskURI\"ext4\"ref(AzureSharedBlobDisk)false",
    "io.k8s.api.core.v1.AzureFilePersistentVolumeSourcesecretNamesecretNamespaceshareNameio.k8s.api.core.v1.AzureFileVolumeSourceio.k8s.api.core.v1.Bindingio.k8s.api.core.v1.CSIPersistentVolumeSourcecontrollerExpandSecretRef",
    "controllerPublishSecretRefdrivernodeExpandSecretRefnodePublishSecretRefnodeStageSecretRefvolumeAttributesvolumeHandleio.k8s.api.core.v1.CSIVolumeSource",
    "io.k8s.api.core.v1.Capabilitiesadddropio.k8s.api.core.v1.CephFSPersistentVolumeSourcemonitorssecretFilesecretRefio.k8s.api.core.v1.CephFSVolumeSource",
    "io.k8s.api.core.v1.CinderPersistentVolumeSourceio.k8s.api.core.v1.CinderVolumeSourceio.k8s.api.core.v1.ClientIPConfigio.k8s.api.core.v1.ClusterTrustBundleProjectionoptionalio.k8s.api.core.v1.ComponentConditionio.k8s.api.core.v1.ComponentStatusio.k8s.api.core.v1.ConfigMap",
    "binaryDataimmutableio.k8s.api.core.v1.ConfigMapEnvSource\"\"io.k8s.api.core.v1.ConfigMapKeySelectorio.k8s.api.core.v1.ConfigMapNodeConfigSourcekubeletConfigKeyresourceVersion",
    "io.k8s.api.core.v1.ConfigMapProjectionitemsio.k8s.api.core.v1.ConfigMapVolumeSourcedefaultModedefaultUserio.k8s.api.core.v1.Containerargscommand",
    "envenvFromimageimagePullPolicylifecyclelivenessProbeportsreadinessProbe",
    "resizePolicyrestartPolicyrestartPolicyRulessecurityContextstartupProbestdinstdinOnceterminationMessagePath",
    "terminationMessagePolicyttyvolumeDevicesvolumeMountsworkingDirio.k8s.api.core.v1.ContainerExtendedResourceRequestrequestNameresourceName",
    "io.k8s.api.core.v1.ContainerImagenamessizeBytesio.k8s.api.core.v1.ContainerPortcontainerPorthostIPhostPortprotocol",
    "\"TCP\"io.k8s.api.core.v1.ContainerResizePolicyio.k8s.api.core.v1.ContainerRestartRuleexitCodesio.k8s.api.core.v1.ContainerRestartRuleOnExitCodesio.k8s.api.core.v1.ContainerStaterunningterminated",
    "waitingio.k8s.api.core.v1.ContainerStateRunningstartedAtio.k8s.api.core.v1.ContainerStateTerminatedcontainerIDexitCodefinishedAtsignal",
    "io.k8s.api.core.v1.ContainerStateWaitingio.k8s.api.core.v1.ContainerStatusallocatedResourcesallocatedResourcesStatusimageIDlastStaterestartCountstarted",
    "statestopSignalio.k8s.api.core.v1.ContainerUserlinuxio.k8s.api.core.v1.DaemonEndpointPortio.k8s.api.core.v1.DownwardAPIProjectionio.k8s.api.core.v1.DownwardAPIVolumeFile",
    "moderesourceFieldRefio.k8s.api.core.v1.DownwardAPIVolumeSourceio.k8s.api.core.v1.EmptyDirVolumeSourcemediumsizeLimitio.k8s.api.core.v1.EndpointAddresshostname",
    "iptargetRefio.k8s.api.core.v1.EndpointPortappProtocolio.k8s.api.core.v1.EndpointSubsetaddressesnotReadyAddressesio.k8s.api.core.v1.Endpoints",
    "subsetsio.k8s.api.core.v1.EnvFromSourceconfigMapRefprefixio.k8s.api.core.v1.EnvVarvalueFromio.k8s.api.core.v1.EnvVarSourceconfigMapKeyRef",
    "fileKeyRefsecretKeyRefio.k8s.api.core.v1.EphemeralContainertargetContainerNameio.k8s.api.core.v1.EphemeralVolumeSourcevolumeClaimTemplateio.k8s.api.core.v1.Eventcount",
    "eventTimefirstTimestampinvolvedObjectlastTimestamprelatedreportingComponentreportingInstanceseries",
    "sourceio.k8s.api.core.v1.EventSerieslastObservedTimeio.k8s.api.core.v1.EventSourcecomponenthostio.k8s.api.core.v1.EvictionResponderpriority",
    "io.k8s.api.core.v1.ExecActionio.k8s.api.core.v1.FCVolumeSourceluntargetWWNswwidsio.k8s.api.core.v1.FileKeySelectorvolumeNameio.k8s.api.core.v1.FlexPersistentVolumeSource",
    "optionsio.k8s.api.core.v1.FlexVolumeSourceio.k8s.api.core.v1.FlockerVolumeSourcedatasetNamedatasetUUIDio.k8s.api.core.v1.GCEPersistentDiskVolumeSourcepdNameio.k8s.api.core.v1.GRPCAction",
    "io.k8s.api.core.v1.GitRepoVolumeSourcedirectoryrepositoryio.k8s.api.core.v1.GlusterfsPersistentVolumeSourceendpointsendpointsNamespaceio.k8s.api.core.v1.GlusterfsVolumeSourceio.k8s.api.core.v1.HTTPGetAction",
    "httpHeadersschemeio.k8s.api.core.v1.HTTPHeaderio.k8s.api.core.v1.HostAliashostnamesio.k8s.api.core.v1.HostIPio.k8s.api.core.v1.HostPathVolumeSourceio.k8s.api.core.v1.ISCSIPersistentVolumeSource",
    "chapAuthDiscoverychapAuthSessioninitiatorNameiqniscsiInterface\"default\"portalstargetPortal",
    "io.k8s.api.core.v1.ISCSIVolumeSourceio.k8s.api.core.v1.ImageVolumeSourcepullPolicyreferenceio.k8s.api.core.v1.ImageVolumeStatusimageRefio.k8s.api.core.v1.KeyToPathio.k8s.api.core.v1.Lifecycle",
    "postStartpreStopio.k8s.api.core.v1.LifecycleHandlerexechttpGetsleeptcpSocketio.k8s.api.core.v1.LimitRange",
    "io.k8s.api.core.v1.LimitRangeItemdefaultdefaultRequestmaxmaxLimitRequestRatiominio.k8s.api.core.v1.LimitRangeSpeclimits",
    "io.k8s.api.core.v1.LinuxContainerUsergidsupplementalGroupsio.k8s.api.core.v1.LoadBalancerIngressipModeio.k8s.api.core.v1.LoadBalancerStatusingressio.k8s.api.core.v1.LocalObjectReference",
    "io.k8s.api.core.v1.LocalVolumeSourceio.k8s.api.core.v1.ModifyVolumeStatustargetVolumeAttributesClassNameio.k8s.api.core.v1.NFSVolumeSourceserverio.k8s.api.core.v1.Namespaceio.k8s.api.core.v1.NamespaceConditionio.k8s.api.core.v1.NamespaceSpec",
    "finalizersio.k8s.api.core.v1.NamespaceStatusphaseio.k8s.api.core.v1.Nodeio.k8s.api.core.v1.NodeAddressaddressio.k8s.api.core.v1.NodeAffinitypreferredDuringSchedulingIgnoredDuringExecution",
    "requiredDuringSchedulingIgnoredDuringExecutionio.k8s.api.core.v1.NodeAllocatableMappedResourcesquantityio.k8s.api.core.v1.NodeAllocatableOverheadResourcesperContainerperPodio.k8s.api.core.v1.NodeAllocatableResourceClaimStatuscontainers",
    "mappingoverheadresourceClaimNameio.k8s.api.core.v1.NodeConditionlastHeartbeatTimeio.k8s.api.core.v1.NodeConfigSourceconfigMapio.k8s.api.core.v1.NodeConfigStatus",
    "assignedlastKnownGoodio.k8s.api.core.v1.NodeDaemonEndpointskubeletEndpointio.k8s.api.core.v1.NodeFeaturessupplementalGroupsPolicyio.k8s.api.core.v1.NodePodPreemptionPolicydisableResizePreemption",
    "io.k8s.api.core.v1.NodeRuntimeHandlerfeaturesio.k8s.api.core.v1.NodeRuntimeHandlerFeaturesrecursiveReadOnlyMountsuserNamespacesio.k8s.api.core.v1.NodeSelectornodeSelectorTermsio.k8s.api.core.v1.NodeSelectorRequirement",
    "io.k8s.api.core.v1.NodeSelectorTermmatchExpressionsmatchFieldsio.k8s.api.core.v1.NodeSpecconfigSourceexternalIDpodCIDRpodCIDRs",
    "podPreemptionPolicyproviderIDtaintsunschedulableio.k8s.api.core.v1.NodeStatusallocatablecapacityconfig",
    "daemonEndpointsdeclaredFeaturesimagesnodeInforuntimeHandlersvolumesAttachedvolumesInUseio.k8s.api.core.v1.NodeSwapStatus",
    "io.k8s.api.core.v1.NodeSystemInfoarchitecturebootIDcontainerRuntimeVersionkernelVersionkubeProxyVersionkubeletVersionmachineID",
    "operatingSystemosImagerunningInUserNamespaceswapsystemUUIDio.k8s.api.core.v1.ObjectFieldSelectorfieldPathio.k8s.api.core.v1.ObjectReference",
    "io.k8s.api.core.v1.PersistentVolumeio.k8s.api.core.v1.PersistentVolumeClaimio.k8s.api.core.v1.PersistentVolumeClaimConditionio.k8s.api.core.v1.PersistentVolumeClaimSpecaccessModesdataSourcedataSourceRefstorageClassName",
    "volumeAttributesClassNamevolumeModeio.k8s.api.core.v1.PersistentVolumeClaimStatusallocatedResourceStatusescurrentVolumeAttributesClassNamehealthStatusmodifyVolumeStatusio.k8s.api.core.v1.PersistentVolumeClaimTemplate",
    "io.k8s.api.core.v1.PersistentVolumeClaimVolumeSourceclaimNameio.k8s.api.core.v1.PersistentVolumeSpecawsElasticBlockStoreazureDiskazureFilecephfscinder",
    "claimRefcsifcflexVolumeflockergcePersistentDiskglusterfshostPath",
    "iscsilocalmountOptionsnfspersistentVolumeReclaimPolicyphotonPersistentDiskportworxVolumequobyte",
    "rbdscaleIOstorageosvsphereVolumeio.k8s.api.core.v1.PersistentVolumeStatuslastPhaseTransitionTimeio.k8s.api.core.v1.PhotonPersistentDiskVolumeSourcepdID",
    "io.k8s.api.core.v1.Podio.k8s.api.core.v1.PodAffinityio.k8s.api.core.v1.PodAffinityTermmatchLabelKeysmismatchLabelKeysnamespacestopologyKeyio.k8s.api.core.v1.PodAntiAffinity",
    "io.k8s.api.core.v1.PodCertificateProjectioncertificateChainPathcredentialBundlePathkeyPathkeyTypeuserAnnotationsio.k8s.api.core.v1.PodConditionio.k8s.api.core.v1.PodDNSConfig",
    "nameserverssearchesio.k8s.api.core.v1.PodDNSConfigOptionio.k8s.api.core.v1.PodExtendedResourceClaimStatusrequestMappingsio.k8s.api.core.v1.PodIPio.k8s.api.core.v1.PodOSio.k8s.api.core.v1.PodReadinessGate",
    "conditionTypeio.k8s.api.core.v1.PodResourceClaimresourceClaimTemplateNameio.k8s.api.core.v1.PodResourceClaimStatusio.k8s.api.core.v1.PodSchedulingGateio.k8s.api.core.v1.PodSchedulingGrouppodGroupNameio.k8s.api.core.v1.PodSecurityContext",
    "appArmorProfilefsGroupfsGroupChangePolicyrunAsGrouprunAsNonRootrunAsUserseLinuxChangePolicyseLinuxOptions",
    "seccompProfilesysctlswindowsOptionsio.k8s.api.core.v1.PodSpecaffinityautomountServiceAccountTokendnsConfigdnsPolicy",
    "enableServiceLinksephemeralContainersevictionRespondershostAliaseshostIPChostNetworkhostPIDhostUsers",
    "hostnameOverrideimagePullSecretsinitContainersnodeSelectorospreemptionPolicypriorityClassNamereadinessGates",
    "runtimeClassNameschedulerNameschedulingGatesschedulingGroupserviceAccountsetHostnameAsFQDNshareProcessNamespacesubdomain",
    "terminationGracePeriodSecondstolerationstopologySpreadConstraintsvolumesio.k8s.api.core.v1.PodStatuscontainerStatusesephemeralContainerStatusesextendedResourceClaimStatus",
    "hostIPsinitContainerStatusesnodeAllocatableResourceClaimStatusesnominatedNodeNamepodIPpodIPsqosClassresize",
    "resourceClaimStatusesvolumeHealthio.k8s.api.core.v1.PodTemplateio.k8s.api.core.v1.PodTemplateSpecio.k8s.api.core.v1.PodVolumeHealthhealthConditionsio.k8s.api.core.v1.PortStatusio.k8s.api.core.v1.PortworxVolumeSource",
    "io.k8s.api.core.v1.PreferredSchedulingTermpreferenceweightio.k8s.api.core.v1.ProbefailureThresholdgrpcinitialDelaySecondssuccessThreshold",
    "io.k8s.api.core.v1.ProjectedVolumeSourcesourcesio.k8s.api.core.v1.QuobyteVolumeSourceregistrytenantvolumeio.k8s.api.core.v1.RBDPersistentVolumeSourcekeyring",
    "\"/etc/ceph/keyring\"pool\"rbd\"\"admin\"io.k8s.api.core.v1.RBDVolumeSourceio.k8s.api.core.v1.ReplicationControllerio.k8s.api.core.v1.ReplicationControllerConditionio.k8s.api.core.v1.ReplicationControllerSpec",
    "1io.k8s.api.core.v1.ReplicationControllerStatusio.k8s.api.core.v1.ResourceClaimio.k8s.api.core.v1.ResourceFieldSelectordivisorio.k8s.api.core.v1.ResourceHealthhealthresourceID",
    "io.k8s.api.core.v1.ResourceQuotaio.k8s.api.core.v1.ResourceQuotaSpechardscopeSelectorscopesio.k8s.api.core.v1.ResourceQuotaStatususedio.k8s.api.core.v1.ResourceRequirements",
    "claimsrequestsio.k8s.api.core.v1.ResourceStatusio.k8s.api.core.v1.SELinuxOptionslevelroleio.k8s.api.core.v1.ScaleIOPersistentVolumeSource\"xfs\"",
    "gatewayprotectionDomainsslEnabledstorageMode\"ThinProvisioned\"storagePoolsystemio.k8s.api.core.v1.ScaleIOVolumeSource",
    "io.k8s.api.core.v1.ScopeSelectorio.k8s.api.core.v1.ScopedResourceSelectorRequirementscopeNameio.k8s.api.core.v1.SeccompProfileio.k8s.api.core.v1.SecretstringDataio.k8s.api.core.v1.SecretEnvSourceio.k8s.api.core.v1.SecretKeySelector",
    "io.k8s.api.core.v1.SecretProjectionio.k8s.api.core.v1.SecretReferenceio.k8s.api.core.v1.SecretVolumeSourceio.k8s.api.core.v1.SecurityContextallowPrivilegeEscalationcapabilitiesprivilegedprocMount",
    "readOnlyRootFilesystemio.k8s.api.core.v1.Serviceio.k8s.api.core.v1.ServiceAccountsecretsio.k8s.api.core.v1.ServiceAccountTokenProjectionaudienceio.k8s.api.core.v1.ServicePortnodePort",
    "targetPortio.k8s.api.core.v1.ServiceSpecallocateLoadBalancerNodePortsclusterIPclusterIPsexternalIPsexternalNameexternalTrafficPolicy",
    "healthCheckNodePortinternalTrafficPolicyipFamiliesipFamilyPolicyloadBalancerClassloadBalancerIPloadBalancerSourceRangespublishNotReadyAddresses",
    "sessionAffinitysessionAffinityConfigtrafficDistributionio.k8s.api.core.v1.ServiceStatusloadBalancerio.k8s.api.core.v1.SessionAffinityConfigclientIPio.k8s.api.core.v1.SleepAction",
    "secondsio.k8s.api.core.v1.StorageOSPersistentVolumeSourcevolumeNamespaceio.k8s.api.core.v1.StorageOSVolumeSourceio.k8s.api.core.v1.Sysctlio.k8s.api.core.v1.TCPSocketActionio.k8s.api.core.v1.Tainteffect",
    "timeAddedio.k8s.api.core.v1.TolerationtolerationSecondsio.k8s.api.core.v1.TopologySelectorLabelRequirementio.k8s.api.core.v1.TopologySelectorTermmatchLabelExpressionsio.k8s.api.core.v1.TopologySpreadConstraintmaxSkew",
    "minDomainsnodeAffinityPolicynodeTaintsPolicywhenUnsatisfiableio.k8s.api.core.v1.TypedLocalObjectReferenceapiGroupio.k8s.api.core.v1.TypedObjectReferenceio.k8s.api.core.v1.Volume",
    "downwardAPIemptyDirephemeralgitRepopersistentVolumeClaimprojectedsecretio.k8s.api.core.v1.VolumeDevice",
    "io.k8s.api.core.v1.VolumeHealthConditionio.k8s.api.core.v1.VolumeHealthStatusio.k8s.api.core.v1.VolumeMountbindMountOptionsmountPathmountPropagationrecursiveReadOnlysubPath",
    "subPathExprio.k8s.api.core.v1.VolumeMountStatusvolumeStatusio.k8s.api.core.v1.VolumeNodeAffinityrequiredio.k8s.api.core.v1.VolumeProjectionclusterTrustBundlepodCertificate",
    "serviceAccountTokenio.k8s.api.core.v1.VolumeResourceRequirementsio.k8s.api.core.v1.VolumeStatusio.k8s.api.core.v1.VsphereVirtualDiskVolumeSourcestoragePolicyIDstoragePolicyNamevolumePathio.k8s.api.core.v1.WeightedPodAffinityTerm",
    "podAffinityTermio.k8s.api.core.v1.WindowsSecurityContextOptionsgmsaCredentialSpecgmsaCredentialSpecNamehostProcessrunAsUserNameio.k8s.api.discovery.v1.EndpointdeprecatedTopology",
    "hintszoneio.k8s.api.discovery.v1.EndpointConditionsservingio.k8s.api.discovery.v1.EndpointHintsforNodesforZonesio.k8s.api.discovery.v1.EndpointPort",
    "io.k8s.api.discovery.v1.EndpointSliceaddressTypeio.k8s.api.discovery.v1.ForNodeio.k8s.api.discovery.v1.ForZoneio.k8s.api.events.v1.EventdeprecatedCountdeprecatedFirstTimestampdeprecatedLastTimestamp",
    "deprecatedSourcenoteregardingreportingControllerio.k8s.api.events.v1.EventSeriesio.k8s.api.flowcontrol.v1.ExemptPriorityLevelConfigurationlendablePercentnominalConcurrencyShares",
    "io.k8s.api.flowcontrol.v1.FlowDistinguisherMethodio.k8s.api.flowcontrol.v1.FlowSchemaio.k8s.api.flowcontrol.v1.FlowSchemaConditionio.k8s.api.flowcontrol.v1.FlowSchemaSpecdistinguisherMethodmatchingPrecedencepriorityLevelConfigurationio.k8s.api.flowcontrol.v1.FlowSchemaStatus",
    "io.k8s.api.flowcontrol.v1.GroupSubjectio.k8s.api.flowcontrol.v1.LimitResponsequeuingio.k8s.api.flowcontrol.v1.LimitedPriorityLevelConfigurationborrowingLimitPercentlimitResponseio.k8s.api.flowcontrol.v1.NonResourcePolicyRuleio.k8s.api.flowcontrol.v1.PolicyRulesWithSubjects",
    "subjectsio.k8s.api.flowcontrol.v1.PriorityLevelConfigurationio.k8s.api.flowcontrol.v1.PriorityLevelConfigurationConditionio.k8s.api.flowcontrol.v1.PriorityLevelConfigurationReferenceio.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpecexemptlimitedio.k8s.api.flowcontrol.v1.PriorityLevelConfigurationStatus",
    "io.k8s.api.flowcontrol.v1.QueuingConfigurationhandSizequeueLengthLimitqueuesio.k8s.api.flowcontrol.v1.ResourcePolicyRuleclusterScopeio.k8s.api.flowcontrol.v1.ServiceAccountSubjectio.k8s.api.flowcontrol.v1.Subject",
    "io.k8s.api.flowcontrol.v1.UserSubjectio.k8s.api.networking.v1.HTTPIngressPathbackendpathTypeio.k8s.api.networking.v1.HTTPIngressRuleValuepathsio.k8s.api.networking.v1.IPAddressio.k8s.api.networking.v1.IPAddressSpec",
    "parentRefio.k8s.api.networking.v1.IPBlockcidrexceptio.k8s.api.networking.v1.Ingressio.k8s.api.networking.v1.IngressBackendio.k8s.api.networking.v1.IngressClassio.k8s.api.networking.v1.IngressClassParametersReference",
    "io.k8s.api.networking.v1.IngressClassSpeccontrollerparametersio.k8s.api.networking.v1.IngressLoadBalancerIngressio.k8s.api.networking.v1.IngressLoadBalancerStatusio.k8s.api.networking.v1.IngressPortStatusio.k8s.api.networking.v1.IngressRulehttp",
    "io.k8s.api.networking.v1.IngressServiceBackendio.k8s.api.networking.v1.IngressSpecdefaultBackendingressClassNametlsio.k8s.api.networking.v1.IngressStatusio.k8s.api.networking.v1.IngressTLShosts",
    "io.k8s.api.networking.v1.NetworkPolicyio.k8s.api.networking.v1.NetworkPolicyEgressRuletoio.k8s.api.networking.v1.NetworkPolicyIngressRulefromio.k8s.api.networking.v1.NetworkPolicyPeeripBlockpodSelector",
    "io.k8s.api.networking.v1.NetworkPolicyPortendPortio.k8s.api.networking.v1.NetworkPolicySpecegresspolicyTypesio.k8s.api.networking.v1.ParentReferenceio.k8s.api.networking.v1.ServiceBackendPortnumber",
    "io.k8s.api.networking.v1.ServiceCIDRio.k8s.api.networking.v1.ServiceCIDRSpeccidrsio.k8s.api.networking.v1.ServiceCIDRStatusio.k8s.api.node.v1.OverheadpodFixedio.k8s.api.node.v1.RuntimeClasshandler",
    "io.k8s.api.node.v1.Schedulingio.k8s.api.policy.v1.EvictiondeleteOptionsio.k8s.api.policy.v1.PodDisruptionBudgetio.k8s.api.policy.v1.PodDisruptionBudgetSpecminAvailableunhealthyPodEvictionPolicyio.k8s.api.policy.v1.PodDisruptionBudgetStatus",
    "currentHealthydesiredHealthydisruptedPodsdisruptionsAllowedexpectedPodsio.k8s.api.rbac.v1.AggregationRuleclusterRoleSelectorsio.k8s.api.rbac.v1.ClusterRole",
    "aggregationRuleio.k8s.api.rbac.v1.ClusterRoleBindingroleRefio.k8s.api.rbac.v1.PolicyRuleio.k8s.api.rbac.v1.Roleio.k8s.api.rbac.v1.RoleBindingio.k8s.api.rbac.v1.RoleRefio.k8s.api.rbac.v1.Subject",
    "io.k8s.api.resource.v1.AllocatedDeviceStatusdevicenetworkDatashareIDio.k8s.api.resource.v1.AllocationResultallocationTimestampdevicesio.k8s.api.resource.v1.CELDeviceSelector",
    "io.k8s.api.resource.v1.CapacityRequestPolicyvalidRangevalidValuesio.k8s.api.resource.v1.CapacityRequestPolicyRangestepio.k8s.api.resource.v1.CapacityRequirementsio.k8s.api.resource.v1.Counterio.k8s.api.resource.v1.CounterSet",
    "countersio.k8s.api.resource.v1.DeviceallNodesallowMultipleAllocationsattributesbindingConditionsbindingFailureConditionsbindsToNode",
    "consumesCountersnodeAllocatableResourcesio.k8s.api.resource.v1.DeviceAllocationConfigurationopaqueio.k8s.api.resource.v1.DeviceAllocationResultresultsio.k8s.api.resource.v1.DeviceAttributebool",
    "boolsintintsstringstringsversionsio.k8s.api.resource.v1.DeviceCapacityrequestPolicy",
    "io.k8s.api.resource.v1.DeviceClaimconstraintsio.k8s.api.resource.v1.DeviceClaimConfigurationio.k8s.api.resource.v1.DeviceClassio.k8s.api.resource.v1.DeviceClassConfigurationio.k8s.api.resource.v1.DeviceClassSpecextendedResourceNameselectors",
    "io.k8s.api.resource.v1.DeviceConstraintdistinctAttributematchAttributeio.k8s.api.resource.v1.DeviceCounterConsumptioncompatibilityGroupscounterSetio.k8s.api.resource.v1.DeviceDerivedAttributeio.k8s.api.resource.v1.DeviceRequest",
    "exactlyfirstAvailableio.k8s.api.resource.v1.DeviceRequestAllocationResultadminAccessconsumedCapacityskipNodeOperationsio.k8s.api.resource.v1.DeviceSelectorcel",
    "io.k8s.api.resource.v1.DeviceSubRequestallocationModederivedAttributesdeviceClassNameio.k8s.api.resource.v1.DeviceTaintio.k8s.api.resource.v1.DeviceTaintRuleio.k8s.api.resource.v1.DeviceTaintRuleSpecdeviceSelector",
    "taintio.k8s.api.resource.v1.DeviceTaintRuleStatusio.k8s.api.resource.v1.DeviceTaintSelectorio.k8s.api.resource.v1.DeviceToleration\"Equal\"io.k8s.api.resource.v1.ExactDeviceRequestio.k8s.api.resource.v1.NetworkDeviceDatahardwareAddress",
    "interfaceNameipsio.k8s.api.resource.v1.NodeAllocatableMappingcapacityKeycapacityMultiplierdeviceMultiplierio.k8s.api.resource.v1.NodeAllocatableOverheadio.k8s.api.resource.v1.NodeAllocatableResource",
    "io.k8s.api.resource.v1.OpaqueDeviceConfigurationio.k8s.api.resource.v1.ResourceClaimio.k8s.api.resource.v1.ResourceClaimConsumerReferenceio.k8s.api.resource.v1.ResourceClaimSpecio.k8s.api.resource.v1.ResourceClaimStatusallocationreservedForio.k8s.api.resource.v1.ResourceClaimTemplate",
    "io.k8s.api.resource.v1.ResourceClaimTemplateSpecio.k8s.api.resource.v1.ResourcePoolgenerationresourceSliceCountio.k8s.api.resource.v1.ResourceSliceio.k8s.api.resource.v1.ResourceSliceSpecpartitionTypeAttributeperDeviceNodeSelection",
    "sharedCountersio.k8s.api.scheduling.v1.PriorityClassdescriptionglobalDefaultio.k8s.api.scheduling.v1alpha3.TopologyConstraintio.k8s.api.scheduling.v1alpha3.WorkloadPodGroupAllDisruptionModeio.k8s.api.scheduling.v1alpha3.WorkloadPodGroupBasicSchedulingPolicyio.k8s.api.scheduling.v1alpha3.WorkloadPodGroupDisruptionMode",
    "allsingleio.k8s.api.scheduling.v1alpha3.WorkloadPodGroupGangSchedulingPolicyminCountio.k8s.api.scheduling.v1alpha3.WorkloadPodGroupResourceClaimio.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingConstraintstopologyio.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSchedulingPolicy",
    "basicgangio.k8s.api.scheduling.v1alpha3.WorkloadPodGroupSingleDisruptionModeio.k8s.api.storage.v1.CSIDriverio.k8s.api.storage.v1.CSIDriverSpecattachRequiredfsGroupPolicynodeAllocatableUpdatePeriodSeconds",
    "podInfoOnMountpreventPodSchedulingIfMissingrequiresRepublishseLinuxMountserviceAccountTokenInSecretsstorageCapacitytokenRequestsvolumeLifecycleModes",
    "io.k8s.api.storage.v1.CSINodeio.k8s.api.storage.v1.CSINodeDrivernodeIDtopologyKeysio.k8s.api.storage.v1.CSINodeSpecdriversio.k8s.api.storage.v1.CSINodeStatusstorageHealth",
    "io.k8s.api.storage.v1.CSIStorageCapacitymaximumVolumeSizenodeTopologyio.k8s.api.storage.v1.StorageClassallowVolumeExpansionallowedTopologiesprovisionerreclaimPolicy",
    "volumeBindingModeio.k8s.api.storage.v1.StorageHealthio.k8s.api.storage.v1.StorageHealthConditionaccessModeio.k8s.api.storage.v1.TokenRequestio.k8s.api.storage.v1.VolumeAttachmentio.k8s.api.storage.v1.VolumeAttachmentSourceinlineVolumeSpec",
    "persistentVolumeNameio.k8s.api.storage.v1.VolumeAttachmentSpecattacherio.k8s.api.storage.v1.VolumeAttachmentStatusattachErrorattachedattachmentMetadatadetachError",
    "io.k8s.api.storage.v1.VolumeAttributesClassdriverNameio.k8s.api.storage.v1.VolumeErrorerrorCodetimeio.k8s.api.storage.v1.VolumeNodeResourcesio.k8s.api.storagemigration.v1.StorageVersionMigrationio.k8s.api.storagemigration.v1.StorageVersionMigrationSpec",
    "io.k8s.api.storagemigration.v1.StorageVersionMigrationStatusio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceColumnDefinitionformatjsonPathio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceConversionwebhookio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionCondition",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionNamescategorieslistKindpluralshortNamessingulario.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionSpecconversion",
    "preserveUnknownFieldsio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionStatusacceptedNamesstoredVersionsio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinitionVersionadditionalPrinterColumnsdeprecateddeprecationWarning",
    "schemaselectableFieldsservedstoragesubresourcesio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceScalelabelSelectorPathspecReplicasPath",
    "statusReplicasPathio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourceStatusio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceSubresourcesscaleio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceValidationopenAPIV3Schemaio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ExternalDocumentationio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps$ref$schemaadditionalItemsadditionalPropertiesallOfanyOfdefinitions",
    "dependenciesenumexampleexclusiveMaximumexclusiveMinimumexternalDocsidmaxItems",
    "maxLengthmaxPropertiesmaximumminItemsminLengthminPropertiesminimummultipleOf",
    "notnullableoneOfpatternpatternPropertiespropertiestitleuniqueItems",
    "x-kubernetes-embedded-resourcex-kubernetes-int-or-stringx-kubernetes-list-map-keysx-kubernetes-list-typex-kubernetes-map-typex-kubernetes-preserve-unknown-fieldsx-kubernetes-validationsio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBoolio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArrayio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.SelectableFieldio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReferenceio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ValidationRuleoptionalOldSelfruleio.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookClientConfig",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.WebhookConversionconversionReviewVersionsio.k8s.apimachinery.pkg.api.resource.Quantityio.k8s.apimachinery.pkg.apis.meta.v1.APIGrouppreferredVersionserverAddressByClientCIDRsio.k8s.apimachinery.pkg.apis.meta.v1.APIGroupListio.k8s.apimachinery.pkg.apis.meta.v1.APIResource",
    "namespacedsingularNamestorageVersionHashio.k8s.apimachinery.pkg.apis.meta.v1.APIResourceListgroupVersionio.k8s.apimachinery.pkg.apis.meta.v1.APIVersionsio.k8s.apimachinery.pkg.apis.meta.v1.Conditionio.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions",
    "dryRungracePeriodSecondsignoreStoreReadErrorWithClusterBreakingPotentialorphanDependentspreconditionspropagationPolicyio.k8s.apimachinery.pkg.apis.meta.v1.FieldSelectorRequirementio.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1",
    "io.k8s.apimachinery.pkg.apis.meta.v1.GroupResourceio.k8s.apimachinery.pkg.apis.meta.v1.GroupVersionForDiscoveryio.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectormatchLabelsio.k8s.apimachinery.pkg.apis.meta.v1.LabelSelectorRequirementio.k8s.apimachinery.pkg.apis.meta.v1.ListMetacontinueremainingItemCount",
    "selfLinkshardInfoio.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntryfieldsTypefieldsV1manageroperationio.k8s.apimachinery.pkg.apis.meta.v1.MicroTime",
    "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMetaannotationscreationTimestampdeletionGracePeriodSecondsdeletionTimestampgenerateNamelabelsmanagedFields",
    "ownerReferencesio.k8s.apimachinery.pkg.apis.meta.v1.OwnerReferenceblockOwnerDeletionio.k8s.apimachinery.pkg.apis.meta.v1.Preconditionsio.k8s.apimachinery.pkg.apis.meta.v1.ServerAddressByClientCIDRclientCIDRserverAddressio.k8s.apimachinery.pkg.apis.meta.v1.ShardInfo",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Statuscodedetailsio.k8s.apimachinery.pkg.apis.meta.v1.StatusCausefieldio.k8s.apimachinery.pkg.apis.meta.v1.StatusDetailscausesretryAfterSeconds",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Timeio.k8s.apimachinery.pkg.apis.meta.v1.WatchEventio.k8s.apimachinery.pkg.runtime.RawExtensionio.k8s.apimachinery.pkg.util.intstr.IntOrStringio.k8s.apimachinery.pkg.version.InfobuildDatecompileremulationMajor",
    "emulationMinorgitCommitgitTreeStategitVersiongoVersionmajorminCompatibilityMajorminCompatibilityMinor",
    "minorplatformio.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceio.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceConditionio.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceSpecgroupPriorityMinimuminsecureSkipTLSVerifyversionPriority",
    "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIServiceStatusio.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference",
);
