with

versions as (
    select * from {{ ref('ml_segments__fit') }}
),

scan as (
    select * from {{ ml_part(ref('ml_segments__fit'), 'scan') }}
),

candidates as (
    select
        scan.model_version,
        cast(row_number() over (
            partition by scan.model_version
            order by scan.method desc, scan.transform, scan.cluster_count
        ) as bigint) as candidate_number,
        scan.method,
        scan.transform,
        scan.cluster_count,
        scan.silhouette,
        scan.silhouette_standard_error,
        scan.simplified_silhouette,
        scan.davies_bouldin_index,
        scan.calinski_harabasz_index,
        scan.inertia,
        scan.smallest_share,
        scan.noise_share,
        scan.stability_mean,
        scan.stability_minimum,
        scan.resample_count,
        scan.passes_gates,
        scan.mean_rank,
        scan.is_chosen,
        scan.verdict,
        scan.row_count as customer_count,
        versions.is_champion
    from scan
    inner join versions on scan.model_version = versions.model_version
)

select * from candidates
